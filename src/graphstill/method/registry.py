"""Methods by name, and a method out of a recipe's value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from graphstill import plugins
from graphstill.errors import ConfigError, nearest
from graphstill.method.base import Composite, Method
from graphstill.typed import check_fields

METHODS: dict[str, type[Method]] = {}
#: Those of other packages that were asked for, by the names that were used.
FOUND: dict[str, type[Method]] = {}
M = TypeVar("M", bound="type[Method]")


def register(name: str) -> Callable[[M], M]:
    """Class decorator: makes a method known under `name` to recipes, the command, and the tests of all methods."""

    def add(cls: M) -> M:
        if name in METHODS:
            raise ConfigError(f"two methods are named {name!r}: {METHODS[name].__module__} and {cls.__module__}")
        METHODS[name] = _checked(cls, name)
        return cls

    return add


def _checked(cls: M, name: str) -> M:
    cls.name = name
    # A type checker takes an assignment for that to the method of one class.
    setattr(cls, "__post_init__", _typed_first(getattr(cls, "__post_init__", None)))  # noqa: B010
    return cls


def _typed_first(then: Callable[[Any], None] | None) -> Callable[[Any], None]:
    """A constructor's check of values, after that of types."""

    def check(method: Any) -> None:
        check_fields(method)
        if then is not None:
            then(method)

    return check


def find_method(name: str) -> type[Method]:
    """The class of a method by its name: ours, of an entry point of another package, or at ``package.module:Name``.

    Raises:
        ConfigError: nothing has this name, it cannot be imported, or it is no method.
    """
    if name in METHODS or name in FOUND:
        return METHODS.get(name) or FOUND[name]
    if not plugins.brings("method", name):
        known = [*METHODS, *plugins.entries("method")]
        raise ConfigError(f"unknown method {name!r} in a recipe's `method`: {nearest(str(name), known)}")
    cls: type[Method] = plugins.checked_class("method", name, plugins.load("method", name), Method)
    if METHODS.get(cls.name) is not cls and FOUND.get(cls.name) is not cls:
        _checked(cls, name)
    elif not plugins.found_again("method", cls, cls.name):
        cls.name = name  # what a recipe and a result hold must be found by a process that resumes
    FOUND[name] = cls
    return cls


def make_method(config: str | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Method | Composite:
    """A method from a recipe's value: a name, a mapping with `name`, or a list of such mappings with `weight`."""
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, Mapping):
        parts = [make_method(c) for c in config]
        if not parts:
            raise ConfigError("an empty list of methods: give at least one, or leave `method` out")
        return Composite(tuple(t for p in parts for t in p.terms))
    options = dict(config)
    name = options.pop("name", None)
    weight = options.pop("weight", None)
    preset = options.pop("preset", None)
    cls = find_method(name)
    known = {f.name for f in dataclasses.fields(cls)}
    for key in options:
        if key not in known:
            raise ConfigError(f"method {name!r} has no option {key!r}: {nearest(key, known)}")
    if preset not in (None, "released"):
        raise ConfigError(f"unknown preset {preset!r} of method {name!r}: the only preset is 'released'")
    base = cls.released() if preset else cls()
    method = dataclasses.replace(base, **options)
    return method if weight is None else method * weight
