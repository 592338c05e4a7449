"""The class that a recipe names: ours, or of another package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

from graphstill import plugins
from graphstill.errors import ConfigError, DataError, MethodError
from graphstill.study.schema import choose
from graphstill.study.source import Source

T = TypeVar("T")


def chosen(
    kind: Literal["method", "model"], name: Any, source: Source, path: Sequence[str | int], what: str
) -> tuple[str, Any]:
    """Name and class. Raises ConfigError with the line: nothing is called so, or it cannot be imported."""
    from graphstill.methods import METHODS, find_method
    from graphstill.models import MODELS, find_model

    ours: dict[str, type] = {**(METHODS if kind == "method" else MODELS)}
    find: Callable[[str], type] = find_method if kind == "method" else find_model
    if isinstance(name, str) and name not in ours and plugins.brings(kind, name):
        return name, made(lambda: find(name), source, path)
    name = choose(name, ours, source, path, what, lambda: plugins.entries(kind))
    return name, ours[name]


def made(make: Callable[[], T], source: Source, path: Sequence[str | int]) -> T:
    """What a constructor refuses is refused with the line as well."""
    try:
        return make()
    except (ConfigError, MethodError, DataError) as error:
        raise type(error)(f"{error} ({source.where(path)})") from error
