"""Arguments of public functions and constructors, checked against their annotations before anything else is done."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import numbers
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union

from graphstill.errors import ConfigError
from graphstill.plain_yaml import shown

F = TypeVar("F", bound=Callable[..., Any])


def typed(function: F) -> F:
    """Decorator: ConfigError for an argument that is not what its annotation says, with value and what is wanted."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        hints = _hints(function)
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            kind = signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                for key, one in value.items():
                    _check(one, hints.get(key, Any), key, function.__qualname__)
            elif kind is not inspect.Parameter.VAR_POSITIONAL:
                _check(value, hints.get(name, Any), name, function.__qualname__)
        return function(*args, **kwargs)

    return typing.cast(F, checked)


def check_fields(thing: Any, prefix: str = "") -> None:
    """The same for the fields of a dataclass, whose names have a prefix in messages."""
    hints = _hints(type(thing))  # type: ignore[arg-type]
    for field in dataclasses.fields(thing):
        if field.init:
            _check(getattr(thing, field.name), hints[field.name], prefix + field.name, type(thing).__name__)


@functools.cache
def _hints(of: Any) -> dict[str, Any]:
    """Annotations by name; those of keywords that a TypedDict lists are among them."""
    hints: dict[str, Any] = {}
    for cls in reversed(of.__mro__) if isinstance(of, type) else [of]:
        space = vars(sys.modules[cls.__module__])
        for name, annotation in vars(cls).get("__annotations__", getattr(cls, "__annotations__", {})).items():
            try:
                hints[name] = typing.get_type_hints(types.SimpleNamespace(__annotations__={name: annotation}), space)[
                    name
                ]
            except (NameError, TypeError):  # a name that only type checkers import; no field but of the class
                hints[name] = Any
    unpacked = [hint for hint in hints.values() if typing.get_origin(hint) is typing.Unpack]
    for hint in unpacked:
        hints |= typing.get_type_hints(typing.get_args(hint)[0])
    return hints


def _check(value: Any, hint: Any, name: str, where: str) -> None:
    if not fits(value, hint):
        raise ConfigError(f"{name}={shown(value)} in {where}: give {described(hint)}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of an annotated type, containers with their parts."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if hint is None or hint is type(None):
        return value is None
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return any(type(value) is type(part) for part in parts)  # an unknown word has a message of its own
    if hint is bool:
        return isinstance(value, bool)
    if hint is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if hint is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    if origin is tuple and len(parts) == 2 and parts[1] is ...:
        return isinstance(value, list | tuple) and all(fits(part, parts[0]) for part in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(k, parts[0]) and fits(v, parts[1]) for k, v in value.items())
    if isinstance(origin, type) and issubclass(origin, Sequence):
        listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        return listed and all(fits(part, parts[0]) for part in value)
    if origin is not None and callable(origin) and origin is not type:
        return callable(value) if origin is Callable or "Callable" in str(origin) else isinstance(value, origin)
    return isinstance(value, hint) if isinstance(hint, type) else True


def described(hint: Any) -> str:
    """An annotation in words."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(described(part) for part in parts))
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if hint is None or hint is type(None):
        return "None"
    words = {int: "a whole number", float: "a number", bool: "True or False", str: "text"}
    if hint in words:
        return words[hint]
    return getattr(hint, "__name__", str(hint).replace("typing.", ""))
