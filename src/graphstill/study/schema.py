"""Options checked against the signature of what they configure: names, types, and nothing declared twice."""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from graphstill.errors import ConfigError, nearest
from graphstill.plain_yaml import shown
from graphstill.study.source import Source


class Section(BaseModel):
    """Base of every part of a recipe: unknown keys are errors, and "4" is not a number."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True, protected_namespaces=())


class Resolved(Section):
    """Base of what is checked: plain values, every default written out."""

    model_config = ConfigDict(frozen=True)

    def resolved(self) -> dict[str, Any]:
        """Plain values, in the order of the fields, without what is absent."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        present = {
            name: value.resolved() if isinstance(value, Resolved) else value
            for name, value in values.items()
            if value is not None
        }
        plain: dict[str, Any] = json.loads(json.dumps(present))  # an option may be a tuple, which YAML has not
        return plain

    def dump(self) -> str:
        """The same as YAML. Reading it again gives the same recipe."""
        return yaml.safe_dump(self.resolved(), sort_keys=False, allow_unicode=True, width=120)


def arguments(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> (type, default) of what a class or function can be called with; `...` where there is no default."""
    target = function.__init__ if inspect.isclass(function) else function
    hints = typing.get_type_hints(target, include_extras=True)
    found: dict[str, tuple[Any, Any]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        found[name] = (hints.get(name, Any), default)
    return found


@cache
def section_of(function: Callable[..., Any], without: tuple[str, ...] = ()) -> type[Section]:
    """A pydantic model of a signature, so that a recipe can say whatever the constructor can, and nothing else."""
    fields = {name: spec for name, spec in arguments(function).items() if name not in without}
    model: type[Section] = create_model(function.__name__, __base__=Section, **fields)  # type: ignore[call-overload]
    return model


def check(model: type[Section], value: Any, source: Source, path: Sequence[str | int], what: str) -> dict[str, Any]:
    """The given options, typed as the signature says (lists become tuples). Defaults are not filled in.

    Raises ConfigError that names the value, the nearest known key, and the line.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{what} is {shown(value)}, but must be a mapping of options: {source.where(path)}. "
            f"Known options: {', '.join(model.model_fields)}."
        )
    try:
        # By way of JSON: its strict mode takes a list for a tuple and 1 for 1.0, but never text for a number.
        checked = model.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise _explained(error, model, source, path, what) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{what} holds a value that no option can take ({error}): {source.where(path)}.") from error
    return {name: getattr(checked, name) for name in model.model_fields if name in checked.model_fields_set}


def choose(
    name: Any,
    known: Mapping[str, type],
    source: Source,
    path: Sequence[str | int],
    what: str,
    others: Callable[[], Iterable[str]] = tuple,
) -> str:
    """`name`, if it is known, by itself or as a class; else a ConfigError with the nearest name, of `others` too."""
    if isinstance(name, str) and name in known:
        return name
    classes = {cls.__name__.lower(): key for key, cls in known.items()}
    if isinstance(name, str) and name.lower() in (*known, *classes):
        return name.lower() if name.lower() in known else classes[name.lower()]
    hint = nearest(name, [*known, *others()]) if isinstance(name, str) else f"known: {', '.join(sorted(known))}"
    problem = f"{what} has no `name`" if name is None else f"unknown {what} {shown(name)}"
    raise ConfigError(f"{problem}: {source.where(path)}; {hint}")


def _explained(
    error: ValidationError, model: type[Section], source: Source, path: Sequence[str | int], what: str
) -> ConfigError:
    """The first thing that is wrong, as a person would say it."""
    first = error.errors()[0]
    place = (*path, *first["loc"])
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = nearest(str(first["loc"][-1]), model.model_fields) if len(first["loc"]) == 1 else "not an option"
        return ConfigError(f"unknown key {key!r} in {what}: {source.where(place)}; {known}")
    if first["type"] == "missing":
        return ConfigError(f"{what} lacks {key!r}: {source.where(place)}. Add it.")
    message = first["msg"][0].lower() + first["msg"][1:]
    return ConfigError(f"{what}: {key} is {shown(first['input'])}: {source.where(place)}; {message}.")
