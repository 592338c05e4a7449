"""The sections of a recipe, each checked against what it configures and completed with its defaults."""

from __future__ import annotations

import typing
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, TypeVar

from graphstill.errors import ConfigError, MethodError
from graphstill.plain_yaml import Place as Path_
from graphstill.plain_yaml import shown
from graphstill.study.chosen import chosen, made
from graphstill.study.schema import check, section_of
from graphstill.study.source import Source

T = TypeVar("T")
MOST_SEEDS = 1_000


def model_section(value: Any, source: Source, path: Path_, what: str) -> dict[str, Any]:
    """A registered model with all its options. A bare name is short for {name: ...}."""
    from graphstill.models import make_model

    options = _with_name(value, source, path, what)
    name, model_class = chosen("model", options.pop("name", None), source, (*path, "name"), what)
    checked = check(section_of(model_class), options, source, path, f"{what} {name!r}")
    model = made(lambda: make_model(name, **checked), source, path)
    return {"name": name, **model.options()}


def task_section(value: Any, source: Source, path: Path_ = ("task",)) -> dict[str, Any]:
    """The arguments of the task's loader but the root: where a machine keeps its data is no part of an experiment."""
    from graphstill.data import datasets

    options = _with_name(value, source, path, "task")
    name = options.get("name")
    section = section_of(datasets.loader(name) if isinstance(name, str) else datasets.load, without=("root",))
    checked = check(section, options, source, path, "task")
    defaults = {name: field.default for name, field in section.model_fields.items() if not field.is_required()}
    return {"name": checked["name"], **defaults, **checked}


def task_kind(task: Mapping[str, Any]) -> str:
    """What a checked task is made of: "graph" or "image"."""
    from graphstill.data import ImageTask, datasets

    returned = typing.get_type_hints(datasets.loader(task["name"]))["return"]
    return "image" if returned is ImageTask else "graph"


def training_section(
    value: Any, model: Mapping[str, Any], source: Source, path: Path_, also: Collection[str] = ()
) -> dict[str, Any]:
    """What is given, on top of the model's recommended settings, on top of the general ones; with the keys `also`."""
    from graphstill.engine import Training
    from graphstill.models import find_model

    checked = check(section_of(Training), {} if value is None else value, source, path, str(path[-1]))
    return made(lambda: Training.of(find_model(model["name"]).defaults, **checked), source, path).config(also)


def method_section(value: Any, source: Source) -> list[dict[str, Any]]:
    """The terms of the loss, each with all its options and its weight."""
    from graphstill.methods import make_method

    terms: list[dict[str, Any]] = []
    for position, entry in enumerate(value if isinstance(value, list) else [value]):
        path: Path_ = ("method", position) if isinstance(value, list) else ("method",)
        given = _with_name(entry, source, path, "method")
        name, method_class = chosen("method", given.pop("name", None), source, (*path, "name"), "method")
        extra: dict[str, Any] = {key: given.pop(key) for key in ("weight", "preset") if key in given}
        checked = check(section_of(method_class), given, source, path, f"method {name!r}")
        config: dict[str, Any] = {"name": name, **checked, **extra}
        method = made(partial(make_method, config), source, path)
        terms += [{**term.method.config(), "weight": term.weight} for term in method.terms]
    if not terms:
        raise ConfigError(f"an empty list of methods: {source.where(('method',))}. Give at least one.")
    return terms


def seeds_section(value: Any, source: Source, path: Path_) -> list[int]:
    """How many seeds (0, 1, ...), or which."""
    if type(value) is int and value > MOST_SEEDS:
        raise ConfigError(
            f"seeds is {value}: {source.where(path)}. At most {MOST_SEEDS:,} train side by side; use several runs."
        )
    seeds = list(range(value)) if type(value) is int else value
    good = isinstance(seeds, list) and bool(seeds) and all(type(s) is int and 0 <= s < 2**31 for s in seeds)
    if not good or len(set(seeds)) != len(seeds):
        raise ConfigError(
            f"seeds is {shown(value)}: {source.where(path)}. Give how many (at least 1), or a list of distinct "
            "integers."
        )
    return list(seeds)


def guard_section(
    value: Any, student: Mapping[str, Any], method: list[dict[str, Any]], source: Source
) -> bool | list[float]:
    """The factors that validation chooses from, or False.

    What a recipe does not say is True, but where there is nothing to fall back on or to guard.
    """
    from graphstill.engine.guard import check_guard, factors_of
    from graphstill.methods import make_method
    from graphstill.models import make_model

    factors = made(lambda: factors_of(True if value is None else value), source, ("guard",))
    try:
        made(lambda: check_guard(factors, 1, [make_model(**student)], make_method(method)), source, ("guard",))
    except MethodError:
        if value is not None:
            raise
        return False
    return list(factors) or False


def _with_name(value: Any, source: Source, path: Path_, what: str) -> dict[str, Any]:
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict):
        return dict(value)
    raise ConfigError(f"{what} is {shown(value)}, but must be a name or a mapping with `name`: {source.where(path)}.")
