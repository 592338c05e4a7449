"""A recipe: one YAML file that says everything a distillation needs, checked before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import Field

from graphstill.errors import ConfigError, MethodError
from graphstill.study.chosen import made
from graphstill.study.packaged import recipe_path
from graphstill.study.parts import (
    guard_section,
    method_section,
    model_section,
    seeds_section,
    task_kind,
    task_section,
    training_section,
)
from graphstill.study.schema import Resolved, Section, check
from graphstill.study.source import Source
from graphstill.study.teachers import Start, Teacher, start_section, teacher_section

MOST = 1_000  # members of a cohort that anybody has trained side by side
FOLDER = r"^[A-Za-z0-9][A-Za-z0-9._+-]*$"  # a name becomes a folder


class RecipeFile(Section):
    """The keys of the file; what is inside each is checked against what it configures."""

    name: str = Field(pattern=FOLDER)
    task: Any
    student: Any
    teacher: Any = None
    peers: int = Field(1, ge=1, le=MOST)
    method: Any
    training: Any = None
    start: Any = None
    seeds: Any = 10
    guard: Any = None
    baseline: bool = True
    baseline_training: Any = None
    baseline_student: Any = None


class TrainFile(Section):
    """The keys of a plain training."""

    name: str | None = Field(None, pattern=FOLDER)
    task: Any
    model: Any
    training: Any = None
    seeds: Any = 10


class Recipe(Resolved):
    """A checked recipe: what `--dry-run` prints, a run directory keeps, and `run_recipe` takes."""

    name: str
    task: dict[str, Any]
    student: dict[str, Any]
    teacher: Teacher | None = None
    peers: int
    method: list[dict[str, Any]]
    training: dict[str, Any]
    start: Start | None = None
    seeds: list[int]
    guard: bool | list[float]
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
    return check_recipe(Source.read(recipe_path(path), overrides))


def parse_recipe(text: str, overrides: Iterable[str] = ()) -> Recipe:
    """The same from text."""
    return check_recipe(Source.parse(text, overrides=overrides))


def check_recipe(source: Source) -> Recipe:
    """Names, keys, types and values, then whether the parts fit together."""
    given = check(RecipeFile, source.tree, source, (), "the recipe")
    student = model_section(given["student"], source, ("student",), "student")
    seeds = seeds_section(given.get("seeds", 10), source, ("seeds",))
    baseline = given.get("baseline", True)
    plain = _baseline_student(given, student, source) if baseline else None
    task = task_section(given["task"], source)
    training = training_section(given.get("training"), student, source, ("training",))
    method = method_section(given["method"], source)
    recipe = Recipe(
        name=given["name"],
        task=task,
        student=student,
        teacher=teacher_section(given.get("teacher"), task, seeds, source),
        peers=given.get("peers", 1),
        method=method,
        training=training,
        start=start_section(given.get("start"), student, source),
        seeds=seeds,
        guard=guard_section(given.get("guard"), student, method, source),
        baseline=baseline,
        baseline_training=None if plain is None else _baseline_training(given, plain, training, source),
        baseline_student=plain,
    )
    _check_kind(recipe, source)
    _check_needs(recipe, source)
    _check_targets(recipe, source)
    return recipe


def check_training(source: Source) -> TrainRecipe:
    """The same for a plain training; its name is by default `task-model`."""
    given = check(TrainFile, source.tree, source, (), "the training")
    model = model_section(given["model"], source, ("model",), "model")
    task = task_section(given["task"], source)
    return TrainRecipe(
        name=given.get("name") or "-".join(part["name"].rpartition(":")[2] for part in (task, model)),
        task=task,
        model=model,
        training=training_section(given.get("training"), model, source, ("training",)),
        seeds=seeds_section(given.get("seeds", 10), source, ("seeds",)),
    )


def _baseline_training(
    given: dict[str, Any], student: dict[str, Any], training: dict[str, Any], source: Source
) -> dict[str, Any]:
    """The settings of the distilled student, unless the recipe says otherwise key by key.

    What neither says is as the baseline's own network recommends. Every key of the distilled student's is written out:
    read again, a recipe must not take from there what was a default here.
    """
    shared, own = given.get("training") or {}, given.get("baseline_training")
    both = {**shared, **own} if isinstance(own, dict) else shared if own is None else own
    return training_section(both, student, source, ("baseline_training",), training)


def _baseline_student(given: dict[str, Any], student: dict[str, Any], source: Source) -> dict[str, Any]:
    """The student's options, unless the recipe says otherwise key by key (a baseline tuned on its own).

    Another network, by name, takes none of them: it is the baseline of a student that cannot be trained alone.
    """
    own = given.get("baseline_student")
    name = own.get("name") if isinstance(own, dict) else own
    if name not in (None, student["name"]):
        return model_section(own, source, ("baseline_student",), "baseline student")
    both = {**student, **own} if isinstance(own, dict) else student if own is None else own
    return model_section(both, source, ("baseline_student",), "baseline student")


def _check_needs(recipe: Recipe, source: Source) -> None:
    """What a method needs is known now; finding out after an hour of teacher training would be late."""
    from graphstill.methods import find_method

    needs = {term["name"]: find_method(term["name"]).needs for term in recipe.method}
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


def _check_kind(recipe: Recipe, source: Source) -> None:
    """Networks, methods and data are of graphs, or all of images."""
    from graphstill.methods import find_method
    from graphstill.models import find_model

    kind = task_kind(recipe.task)
    for name in (term["name"] for term in recipe.method):
        if find_method(name).needs.graph and kind != "graph":
            raise MethodError(
                f"method {name!r} compares nodes along the edges of a graph, but the task has images: "
                f"{source.where(('method',))}. Choose one that compares features or outputs, such as kd or hkd."
            )
    teacher = None if recipe.teacher is None else recipe.teacher.model
    models = {"student": recipe.student, "teacher": teacher, "baseline_student": recipe.baseline_student}
    for part, model in models.items():
        takes = kind if model is None else find_model(model["name"]).takes
        if model is not None and takes != kind:
            raise ConfigError(
                f"the {part} {model['name']!r} reads {takes}s, but the task is made of {kind}s: "
                f"{source.where((part,))}. Choose one that fits, see `graphstill list models`."
            )


def _check_targets(recipe: Recipe, source: Source) -> None:
    """A network that has the training labels as an input cannot be trained on them, also not as its own baseline."""
    from graphstill.engine import Training
    from graphstill.engine.known import refuse_known_targets
    from graphstill.methods import make_method
    from graphstill.models import make_model
    from graphstill.nn import TransductiveModel

    models, method, training = [make_model(**recipe.student)], make_method(recipe.method), Training(**recipe.training)
    made(lambda: refuse_known_targets(models, method, training), source, ("method",))
    baseline = recipe.baseline_student
    if baseline is not None and isinstance(make_model(**baseline), TransductiveModel):
        raise MethodError(
            f"the baseline is a {baseline['name']!r}, which has the training labels as an input and cannot be trained "
            f"on them: {source.where(('baseline_student',))}. Name another network, such as "
            "`baseline_student: {name: mlp}`, or set `baseline: false`."
        )
