"""From a recipe to a comparison: teacher, undistilled student and distilled student, each finished part kept."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphstill.environment import environment
from graphstill.files import atomic_write_json
from graphstill.study.arms import Arms, Watcher, part_progress
from graphstill.study.directory import run_directory
from graphstill.study.place import load_task
from graphstill.study.recipe import Recipe, TrainRecipe
from graphstill.study.statistics import Figure, compare, paired

if TYPE_CHECKING:
    from graphstill.engine import Run

COMPARISON = "comparison.json"


def run_recipe(
    recipe: Recipe,
    directory: str | Path,
    *,
    resume: bool = False,
    root: str | Path | None = None,
    watch: Watcher | None = None,
    store: str | Path | None = None,
) -> dict[str, Any]:
    """Train everything a recipe asks for in `directory`, write comparison.json there, and return what it holds.

    The parts are runs of their own: `directory/teacher`, `/baseline` (the plain student, or the independent group
    where there are peers; same seeds and settings, but for what `baseline_student` and `baseline_training` say) and
    `/student`. With `resume`, finished parts are loaded and an unfinished one goes on from its checkpoint.

    Args:
        root: where the data is, instead of the environment variable GRAPHSTILL_DATA.
        watch: called after each epoch.
        store: a folder of teachers and undistilled students that many recipes share: one that was trained by the very
            same settings is taken from there, another is trained into it, instead of into `directory`.

    Raises ConfigError, MethodError, DataError, CheckpointError, and KeyboardInterrupt after a checkpoint.
    """
    with run_directory(directory, recipe.dump(), resume=resume) as path:
        arms = Arms(recipe, path, resume, root, watch, None if store is None else Path(store))
        student = arms.student()
        found = _comparison(recipe, arms.teacher, arms.baseline, student) | _circumstances(arms, student)
        found["warnings"] = _warnings(arms, student)
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
    from graphstill.engine import Training, train
    from graphstill.models import make_model

    with run_directory(directory, recipe.dump(), resume=resume) as path:
        return train(
            make_model(**recipe.model),
            load_task(recipe.task, root),
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
        "taught": student.result.get("teacher"),
        "comparison": differences,
        "recipe": recipe.resolved(),
        "environment": environment(),
    }


def _warnings(arms: Arms, student: Run) -> list[dict[str, Any]]:
    """What is odd about any part, each said once, and whether the teacher is worse than the undistilled student."""
    from graphstill.engine.doubts import announce, below_twin

    found = []
    for part, run in (("teacher", arms.teacher), ("baseline", arms.baseline), ("student", student)):
        if run is not None:
            found += [{"part": part} | doubt for doubt in run.result.get("warnings", [])]
    taught = student.result.get("teacher") or {}
    if arms.baseline is not None and "validation" in taught:
        metric = student.result["metric"]
        worse = below_twin(taught["validation"][metric], arms.baseline.validation, metric)
        found += [{"part": "comparison"} | doubt for doubt in announce(worse)]
    return found


def _circumstances(arms: Arms, student: Run) -> dict[str, Any]:
    """What validation chose among, and what the graph's change, or a start, did: only where there was one."""
    from graphstill.data import NodeTask
    from graphstill.engine import frozen_test
    from graphstill.study.transfer import transfer_metrics

    found, teacher, baseline = dict[str, Any](), arms.teacher, arms.baseline
    chosen = {"guard": student, "choices": baseline}
    found |= {kind: run.result[kind] for kind, run in chosen.items() if run is not None and kind in run.result}
    task = arms.task
    if teacher is not None and isinstance(task, NodeTask) and teacher.result["data_hash"] != task.hash:
        found["teacher"] = _part(teacher) | {"frozen": frozen_test(teacher, task)}
    if student.result.get("start") is not None:
        measured = {} if baseline is None else transfer_metrics(student, baseline)
        transfer = {key: comparison.as_dict() for key, comparison in measured.items()}
        found |= {"start": student.result["start"], "transfer": transfer}
    return found


def over_splits(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Comparisons of one recipe on several public splits, one seed each, as one comparison that is paired by split."""
    whole = copy.deepcopy(found[0])
    splits = [one["recipe"]["task"]["split"] for one in found]
    whole["seeds"] = splits
    whole["data_hash"] = [one["data_hash"] for one in found]
    whole["protocol"]["split"] = f"{len(splits)} public splits"
    for kind in ("guard", "choices"):
        if kind in whole:  # a choice for each split, of one seed
            whole[kind] = [one[kind] for one in found]
    for part in ("teacher", "baseline", "student"):
        if whole[part] is None:
            continue
        whole[part]["seeds"] = splits
        for key in ("validation", "best_epoch"):
            whole[part][key] = [value for one in found for value in one[part][key]]
        for key, first in whole[part]["test"].items():
            whole[part]["test"][key] = first and [value for one in found for value in one[part]["test"][key]]
    for figure, old in whole["comparison"].items():
        ours, theirs = (whole[part]["test"][figure] for part in ("student", "baseline"))
        names = {"name": old["name"], "against": old["baseline"], "metric": old["metric"], "figure": figure}
        whole["comparison"][figure] = paired(ours, theirs, seeds=splits, **names).as_dict()
    return whole


def _part(run: Run) -> dict[str, Any]:
    """What of a run a table needs; the rest stands in its own result.json."""
    kept = ("name", "models", "parameters", "seeds", "peers", "test", "validation", "best_epoch", "cost", "environment")
    return {key: run.result[key] for key in kept}
