"""From a recipe to a comparison: teacher, undistilled student and distilled student, each finished part kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphstill.environment import environment
from graphstill.files import atomic_write_json
from graphstill.study.directory import run_directory
from graphstill.study.recipe import Recipe, TrainRecipe
from graphstill.study.statistics import Figure, compare

if TYPE_CHECKING:
    from graphstill.engine import Run

COMPARISON = "comparison.json"
#: Called with (part, epoch, epochs, figures); part is "teacher", "baseline" or "student".
Watcher = Callable[[str, int, int, dict[str, float]], None]


def run_recipe(
    recipe: Recipe,
    directory: str | Path,
    *,
    resume: bool = False,
    root: str | Path | None = None,
    watch: Watcher | None = None,
) -> dict[str, Any]:
    """Train everything a recipe asks for in `directory`, write comparison.json there, and return what it holds.

    The parts are runs of their own: `directory/teacher`, `/baseline` (the plain student, or the independent group
    where there are peers; same seeds and settings, but for what `baseline_student` and `baseline_training` say) and
    `/student`. With `resume`, finished parts are loaded and an unfinished one goes on from its checkpoint.

    Args:
        root: where the data is, instead of the environment variable GRAPHSTILL_DATA.
        watch: called after each epoch.

    Raises ConfigError, MethodError, DataError, CheckpointError, and KeyboardInterrupt after a checkpoint.
    """
    from graphstill.data import datasets
    from graphstill.engine import Run, Training, distill
    from graphstill.methods import make_method
    from graphstill.nn import make_model

    with run_directory(directory, recipe.dump(), resume=resume) as path:
        task = datasets.load(root=root, **recipe.task)

        def run(part: str, model: dict[str, Any], training: dict[str, Any], **how: Any) -> Run:
            return distill(
                make_model(**model),
                task,
                training=Training(**training),
                name=f"{recipe.name}/{part}",
                directory=path / part,
                resume=resume,
                progress=part_progress(watch, part),
                **how,
            )

        plain = make_method("independent")
        group: dict[str, Any] = {"peers": recipe.peers, "seeds": recipe.seeds}
        teacher = baseline = None
        if recipe.teacher is not None and recipe.teacher.run is not None:
            teacher = Run.load(recipe.teacher.run)
        elif recipe.teacher is not None:
            model, training = recipe.teacher.model or {}, recipe.teacher.training or {}
            teacher = run("teacher", model, training, method=plain, seeds=recipe.teacher.seeds)
        if recipe.baseline_training is not None and recipe.baseline_student is not None:
            baseline = run("baseline", recipe.baseline_student, recipe.baseline_training, method=plain, **group)
        method = make_method(recipe.method)
        student = run("student", recipe.student, recipe.training, method=method, teacher=teacher, **group)
        found = _comparison(recipe, teacher, baseline, student)
        atomic_write_json(path / COMPARISON, found)
    return found


def run_training(
    recipe: TrainRecipe,
    directory: str | Path,
    *,
    resume: bool = False,
    root: str | Path | None = None,
    watch: Watcher | None = None,
) -> Run:
    """Train one model on labels alone in `directory`; such a directory can be the teacher of a recipe."""
    from graphstill.data import datasets
    from graphstill.engine import Training, train
    from graphstill.nn import make_model

    with run_directory(directory, recipe.dump(), resume=resume) as path:
        return train(
            make_model(**recipe.model),
            datasets.load(root=root, **recipe.task),
            seeds=recipe.seeds,
            training=Training(**recipe.training),
            name=recipe.name,
            directory=path,
            resume=resume,
            progress=part_progress(watch, "model"),
        )


def _comparison(recipe: Recipe, teacher: Run | None, baseline: Run | None, student: Run) -> dict[str, Any]:
    figures: list[Figure] = ["mean", "best_val", "ensemble"] if recipe.peers > 1 else ["mean"]
    differences = {} if baseline is None else {key: compare(student, baseline, key).as_dict() for key in figures}
    return {
        "name": recipe.name,
        "metric": student.result["metric"],
        "protocol": student.result["protocol"],
        "data_hash": student.result["data_hash"],
        "seeds": recipe.seeds,
        "peers": recipe.peers,
        "effective_loss": student.result["effective_loss"],
        "teacher": None if teacher is None else _part(teacher),
        "baseline": None if baseline is None else _part(baseline),
        "student": _part(student),
        "comparison": differences,
        "recipe": recipe.resolved(),
        "environment": environment(),
    }


def _part(run: Run) -> dict[str, Any]:
    """What of a run a table needs; the rest stands in its own result.json."""
    kept = ("name", "models", "parameters", "seeds", "peers", "test", "validation", "best_epoch", "cost", "environment")
    return {key: run.result[key] for key in kept}


def part_progress(watch: Watcher | None, part: str) -> Callable[[int, int, dict[str, float]], None] | None:
    if watch is None:
        return None
    return lambda epoch, epochs, figures: watch(part, epoch, epochs, figures)
