"""Methods, models and data sets of other packages: by an entry point of theirs, or by where they are imported from.

A package names what it brings along in the groups ``graphstill.methods``, ``graphstill.models`` and
``graphstill.datasets`` of its entry points. What has none is named ``package.module:Name``. Either is a name and
nothing else: no code stands in a recipe. A name that graphstill itself has is never another package's.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from graphstill.errors import ConfigError
from graphstill.plain_yaml import shown

What = Literal["method", "model", "dataset"]
PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)


def is_path(name: object) -> bool:
    """Whether this is ``package.module:Name``."""
    return isinstance(name, str) and PATH.fullmatch(name) is not None


def entries(what: What) -> dict[str, EntryPoint]:
    """Entry points of this kind by name; nothing is imported."""
    return {entry.name: entry for entry in entry_points(group=f"graphstill.{what}s")}


def brings(what: What, name: object) -> bool:
    """Whether a name is a place to import from, or an entry point."""
    return is_path(name) or (isinstance(name, str) and name in entries(what))


def load(what: What, name: str) -> Any:
    """What the name stands for.

    Raises:
        ConfigError: it cannot be imported; the message and ``__cause__`` say why. Or two packages have it.
    """
    entry = None if is_path(name) else _one_entry(what, name)
    place = name if entry is None else entry.value
    try:
        if entry is not None:
            return entry.load()
        module, _, attribute = name.partition(":")
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:  # whatever another package does while it is imported
        of = "" if entry is None else f", an entry point of {_package(entry)},"
        raise ConfigError(
            f"{what} {name!r}{of} cannot be imported from {place!r} ({type(error).__name__}: {error}): correct the "
            "name, or install the package beside graphstill, or put its folder into PYTHONPATH"
        ) from error


def checked_class(what: What, name: str, thing: Any, base: type) -> Any:
    """The thing itself, a dataclass that derives from `base` and can be made.

    Raises:
        ConfigError: it is something else.
    """
    if not isinstance(thing, type) or not issubclass(thing, base):
        raise ConfigError(f"{what} {name!r} is {shown(thing)}: name a class that derives from {base.__name__}")
    if inspect.isabstract(thing):
        missing = ", ".join(sorted(getattr(thing, "__abstractmethods__", ())))
        raise ConfigError(f"{what} {name!r} lacks {missing}: define it in {thing.__module__}.{thing.__name__}")
    params = thing.__dict__.get("__dataclass_params__")
    if not dataclasses.is_dataclass(thing) or params is None or not params.frozen:
        raise ConfigError(
            f"{what} {name!r} is no frozen dataclass, so its options are unknown: put @dataclass(frozen=True) before "
            f"class {thing.__name__} of {thing.__module__}"
        )
    return thing


def found_again(what: What, cls: type, name: str) -> bool:
    """Whether another process finds a class by this name without having imported its module."""
    return cls.__module__.partition(".")[0] == "graphstill" or brings(what, name)


def _one_entry(what: What, name: str) -> EntryPoint:
    found = list(entry_points(group=f"graphstill.{what}s", name=name))
    places = sorted({entry.value for entry in found})
    if len(places) > 1:
        raise ConfigError(
            f"{len(places)} packages bring a {what} called {name!r}, {' and '.join(sorted(map(_package, found)))}: "
            f"uninstall one, or name it by its place, {' or '.join(map(repr, places))}"
        )
    return found[0]


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
