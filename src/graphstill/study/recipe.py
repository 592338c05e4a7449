"""A recipe: one YAML file that says everything a distillation needs, checked before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, Field

from graphstill.errors import ConfigError, MethodError
from graphstill.study.parts import method_section, model_section, seeds_section, task_section, training_section
from graphstill.study.schema import Section, check
from graphstill.study.source import Source

FOLDER = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"  # a name becomes a folder


class RecipeFile(Section):
    """The keys of the file; what is inside each is checked against what it configures."""

    name: str = Field(pattern=FOLDER)
    task: Any
    student: Any
    teacher: Any = None
    peers: int = Field(1, ge=1)
    method: Any
    training: Any = None
    seeds: Any = 10
    baseline: bool = True
    baseline_training: Any = None
    baseline_student: Any = None


class TeacherFile(Section):
    """Either a model to train, or the directory of a run that is trained already."""

    model: Any = None
    training: Any = None
    seeds: Any = None
    run: str | None = None


class TrainFile(Section):
    """The keys of a plain training."""

    name: str | None = Field(None, pattern=FOLDER)
    task: Any
    model: Any
    training: Any = None
    seeds: Any = 10


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


class Teacher(Resolved):
    """A checked teacher: `run` alone, or `model` with `training` and `seeds`."""

    run: str | None = None
    model: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    seeds: list[int] | None = None


class Recipe(Resolved):
    """A checked recipe: what `--dry-run` prints, a run directory keeps, and `run_recipe` takes."""

    name: str
    task: dict[str, Any]
    student: dict[str, Any]
    teacher: Teacher | None = None
    peers: int
    method: list[dict[str, Any]]
    training: dict[str, Any]
    seeds: list[int]
    baseline: bool
    baseline_training: dict[str, Any] | None = None
    baseline_student: dict[str, Any] | None = None


class TrainRecipe(Resolved):
    """A checked plain training, what `run_training` takes."""

    name: str
    task: dict[str, Any]
    model: dict[str, Any]
    training: dict[str, Any]
    seeds: list[int]


def read_recipe(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """A recipe file with `key=value` overrides. Raises ConfigError that says what is wrong, on which line."""
    return check_recipe(Source.read(path, overrides))


def parse_recipe(text: str, overrides: Iterable[str] = ()) -> Recipe:
    """The same from text."""
    return check_recipe(Source.parse(text, overrides=overrides))


def check_recipe(source: Source) -> Recipe:
    """Names, keys, types and values, then whether the parts fit together."""
    given = check(RecipeFile, source.tree, source, (), "the recipe")
    student = model_section(given["student"], source, ("student",), "student")
    seeds = seeds_section(given.get("seeds", 10), source, ("seeds",))
    baseline = given.get("baseline", True)
    recipe = Recipe(
        name=given["name"],
        task=task_section(given["task"], source),
        student=student,
        teacher=_teacher(given.get("teacher"), seeds, source),
        peers=given.get("peers", 1),
        method=method_section(given["method"], source),
        training=training_section(given.get("training"), student, source, ("training",)),
        seeds=seeds,
        baseline=baseline,
        baseline_training=_baseline_training(given, student, source) if baseline else None,
        baseline_student=_baseline_student(given, student, source) if baseline else None,
    )
    _check_needs(recipe, source)
    return recipe


def check_training(source: Source) -> TrainRecipe:
    """The same for a plain training; its name is by default `task-model`."""
    given = check(TrainFile, source.tree, source, (), "the training")
    model = model_section(given["model"], source, ("model",), "model")
    task = task_section(given["task"], source)
    return TrainRecipe(
        name=given.get("name") or f"{task['name']}-{model['name']}",
        task=task,
        model=model,
        training=training_section(given.get("training"), model, source, ("training",)),
        seeds=seeds_section(given.get("seeds", 10), source, ("seeds",)),
    )


def _baseline_training(given: dict[str, Any], student: dict[str, Any], source: Source) -> dict[str, Any]:
    """The settings of the distilled student, unless the recipe says otherwise key by key."""
    shared, own = given.get("training") or {}, given.get("baseline_training")
    both = {**shared, **own} if isinstance(own, dict) else shared if own is None else own
    return training_section(both, student, source, ("baseline_training",))


def _baseline_student(given: dict[str, Any], student: dict[str, Any], source: Source) -> dict[str, Any]:
    """The student's options, unless the recipe says otherwise key by key (a baseline tuned on its own)."""
    own = given.get("baseline_student")
    both = {**student, **own} if isinstance(own, dict) else student if own is None else own
    return model_section(both, source, ("baseline_student",), "baseline student")


def _teacher(value: Any, seeds: list[int], source: Source) -> Teacher | None:
    if value is None:
        return None
    path = ("teacher",)
    given = check(TeacherFile, value, source, path, "teacher")
    if ("run" in given) == ("model" in given):
        raise ConfigError(
            f"a teacher has either `run` (a directory) or `model`, here it has {', '.join(given) or 'nothing'}: "
            f"{source.where(path)}. Keep one of them."
        )
    if "run" in given:
        if len(given) > 1:
            raise ConfigError(
                f"a teacher that is trained already takes no {' or '.join(sorted(given.keys() - {'run'}))}: "
                f"{source.where(path)}. Remove it, or give `model` instead of `run`."
            )
        return Teacher(run=given["run"])
    model = model_section(given["model"], source, (*path, "model"), "teacher")
    own = given.get("seeds")
    return Teacher(
        model=model,
        training=training_section(given.get("training"), model, source, (*path, "training")),
        seeds=seeds if own is None else seeds_section(own, source, (*path, "seeds")),
    )


def _check_needs(recipe: Recipe, source: Source) -> None:
    """What a method needs is known now; finding out after an hour of teacher training would be late."""
    from graphstill.methods import METHODS

    needs = {term["name"]: METHODS[term["name"]].needs for term in recipe.method}
    for name, need in needs.items():
        if need.teacher and recipe.teacher is None:
            raise MethodError(
                f"method {name!r} needs a teacher: {source.where(('method',))}. Add a `teacher:` section."
            )
        if need.peers and recipe.peers < 2:
            raise MethodError(
                f"method {name!r} needs peers: {source.where(('method',))}. Set `peers: 4`, or at least 2."
            )
    if recipe.teacher is not None and not any(need.teacher for need in needs.values()):
        raise MethodError(
            f"a teacher, but no method that listens to it among {', '.join(sorted(needs))}: "
            f"{source.where(('teacher',))}. Remove the teacher, or choose another method."
        )
