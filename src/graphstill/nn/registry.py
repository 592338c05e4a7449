"""Models by name: filled by a decorator, walked by the tests, the command line and the recipes."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from graphstill import plugins
from graphstill.errors import ConfigError, nearest
from graphstill.nn.model import Model
from graphstill.typed import check_fields

MODELS: dict[str, type[Model]] = {}
#: Those of other packages that were asked for, by the names that were used.
FOUND: dict[str, type[Model]] = {}
ModelType = TypeVar("ModelType", bound=type[Model])


def register_model(model: ModelType) -> ModelType:
    """Class decorator: makes ``model`` available under its ``name``.

    Raises:
        ConfigError: another model has this name.
    """
    taken = MODELS.get(model.name)
    if taken is not None and taken.__qualname__ != model.__qualname__:
        raise ConfigError(
            f"the model name {model.name!r} is taken by {taken.__qualname__}: give {model.__qualname__} another name"
        )
    MODELS[model.name] = _checked(model)
    return model


def _checked(model: ModelType) -> ModelType:
    then = getattr(model, "__post_init__", None)

    def check(spec: Any) -> None:
        check_fields(spec)
        if then is not None:
            then(spec)

    setattr(model, "__post_init__", check)  # noqa: B010 - a type checker takes it for the method of one class
    return model


def find_model(name: str) -> type[Model]:
    """The class of a model by its name: ours, of an entry point of another package, or at ``package.module:Name``.

    Raises:
        ConfigError: nothing has this name, it cannot be imported, or it is no model.
    """
    if name in MODELS or name in FOUND:
        return MODELS.get(name) or FOUND[name]
    if not plugins.brings("model", name):
        raise ConfigError(f"unknown model {name!r}: {nearest(name, [*MODELS, *plugins.entries('model')])}")
    model: type[Model] = plugins.checked_class("model", name, plugins.load("model", name), Model)
    known = MODELS.get(model.name) is model or FOUND.get(model.name) is model
    if not known or not plugins.found_again("model", model, model.name):
        model.name = name  # what a recipe and saved weights hold must be found by a process that loads them
    FOUND[name] = model if known else _checked(model)
    return model


def make_model(name: str, **options: Any) -> Model:
    """The specification of a registered model, from a recipe's name and options.

    Raises:
        ConfigError: unknown name or unknown option (the nearest one is named), or a value that the model refuses.
    """
    model = find_model(name)
    known = [field.name for field in dataclasses.fields(model)]  # type: ignore[arg-type]
    for key in options:
        if key not in known:
            raise ConfigError(f"unknown option {key!r} of model {name!r}: {nearest(key, known)}")
    return model(**options)
