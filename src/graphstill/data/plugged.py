"""Data sets of other packages: a function that returns a task, under a name."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from graphstill import plugins
from graphstill.data.images.task import ImageTask
from graphstill.data.tasks.graph import GraphTask
from graphstill.data.tasks.node import NodeTask
from graphstill.errors import ConfigError, DataError, GraphstillError

KINDS = (NodeTask, GraphTask, ImageTask)


def loader(name: str) -> Callable[..., Any]:
    """The function as a loader of ours: called with `name` and `root` besides its own options.

    Its parameters are what a recipe's `task` may say, its return annotation tells what items are. `name` and `root` are
    handed on where it has them.

    Raises:
        ConfigError: it cannot be imported, is no function, or is not annotated to return a task.
    """
    return _adapted(name, plugins.load("dataset", name))


@cache
def _adapted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(function) or isinstance(function, type):
        raise ConfigError(f"dataset {name!r} is {function!r}: name a function that returns a task")
    hints, signature = typing.get_type_hints(function), inspect.signature(function)
    if hints.get("return") not in KINDS:
        kinds = ", ".join(kind.__name__ for kind in KINDS)
        raise ConfigError(
            f"dataset {name!r} does not say what it returns: annotate {function.__module__}.{function.__qualname__} "
            f"with one of {kinds}"
        )
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for key, parameter in signature.parameters.items()
        if key not in ("name", "root") and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]

    def load(name: str, root: str | Path | None = None, **options: Any) -> Any:
        also = {"name": name, "root": root}
        given = options | {key: value for key, value in also.items() if key in signature.parameters}
        try:
            task = function(**given)
        except GraphstillError:
            raise
        except Exception as error:  # whatever another package does
            raise DataError(f"dataset {name!r} could not be loaded ({type(error).__name__}: {error})") from error
        if not isinstance(task, hints["return"]):
            raise DataError(
                f"dataset {name!r} is a {type(task).__name__}, but says that it is {hints['return'].__name__}"
            )
        return task

    here = inspect.signature(load).parameters
    both = [here["name"], here["root"].replace(kind=inspect.Parameter.KEYWORD_ONLY), *own]
    load.__signature__ = signature.replace(parameters=both)  # type: ignore[attr-defined]
    load.__annotations__ = {**hints, "name": str, "root": str | Path | None}
    load.__doc__ = function.__doc__
    return load
