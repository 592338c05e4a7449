"""From a recipe to a comparison: teacher, undistilled student and distilled student, each finished part kept."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphstill.environment import environment
from graphstill.files import atomic_write_json
from graphstill.study.directory import run_directory
from graphstill.study.recipe import Recipe, TrainRecipe
from graphstill.study.statistics import Figure, compare, paired

if TYPE_CHECKING:
    from graphstill.data import NodeTask
    from graphstill.engine import Run

COMPARISON = "comparison.json"
REMOVALS = ("edges_removed", "edges_seed", "train_removed", "train_seed", "positions")  # what an origin has none of
#: Called with (part, epoch, epochs, figures); part is "teacher", "baseline", "start" or "student".
Watcher = Callable[[str, int, int, dict[str, float]], None]


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
        parts = Parts(recipe, path, resume, root, watch, None if store is None else Path(store))
        student = parts.student()
        found = _comparison(recipe, parts.teacher, parts.baseline, student) | _circumstances(parts, student)
        atomic_write_json(path / COMPARISON, found)
    return found


class Parts:
    """The runs that a recipe consists of; each is trained, or loaded where it is finished, when it is asked for."""

    def __init__(
        self,
        recipe: Recipe,
        directory: Path,
        resume: bool = False,
        root: str | Path | None = None,
        watch: Watcher | None = None,
        store: Path | None = None,
    ) -> None:
        self.recipe, self.directory, self.resume = recipe, directory, resume
        self.root, self.watch, self.store = root, watch, store

    @cached_property
    def task(self) -> NodeTask:
        return _load(self.root, json.dumps(self.recipe.task, sort_keys=True))

    @cached_property
    def teacher(self) -> Run | None:
        from graphstill.engine import Run

        teacher = self.recipe.teacher
        if teacher is None:
            return None
        if teacher.run is not None:
            return Run.load(teacher.run)
        task, named = self.task, self.recipe.task
        if teacher.task == "full":
            task, named = task.origin or task, {**named, **dict.fromkeys(REMOVALS)}
        return self._shared("teacher", teacher.model, teacher.training, {"seeds": teacher.seeds}, task, named)

    @cached_property
    def start(self) -> Run | None:
        """What the student begins with: trained on a task of its own, whose test labels stay sealed."""
        from graphstill.data import datasets
        from graphstill.engine import Run

        start = self.recipe.start
        if start is None:
            return None
        if start.task is None:
            return Run.load(start.run or "")
        task = datasets.load(root=self.root, **start.task)
        if start.shuffle_labels:
            task = task.with_shuffled_labels(start.task["seed"])
        how = {**self._group(), "open_test": False}
        return self._shared("start", self.recipe.student, start.training, how, task, start.resolved())

    @cached_property
    def baseline(self) -> Run | None:
        recipe = self.recipe
        if recipe.baseline_student is None:
            return None
        return self._shared("baseline", recipe.baseline_student, recipe.baseline_training, self._group())

    def student(self, **how: Any) -> Run:
        from graphstill.methods import make_method

        recipe = self.recipe
        return self._run(
            "student",
            recipe.student,
            recipe.training,
            **{
                "directory": self.directory / "student",
                "method": make_method(recipe.method),
                "teacher": self.teacher,
                "teacher_graph": None if recipe.teacher is None else recipe.teacher.graph,
                "start": self.start,
                **self._group(),
                **how,
            },
        )

    def trial(self, part: str, seeds: list[int]) -> Run:
        """The student or the undistilled student with other seeds, the test set left sealed, nothing written."""
        how: dict[str, Any] = {"seeds": seeds, "open_test": False, "directory": None, "resume": False}
        if part == "student":
            return self.student(**how)
        recipe = self.recipe
        own = {**self._group(), **_plain(), **how}
        return self._run(part, recipe.baseline_student, recipe.baseline_training, **own)

    def _group(self) -> dict[str, Any]:
        return {"peers": self.recipe.peers, "seeds": self.recipe.seeds}

    def _shared(
        self, part: str, model: Any, training: Any, how: dict[str, Any], task: NodeTask | None = None, named: Any = None
    ) -> Run:
        """A run that other recipes may share; `named` tells in plain values which task it is on."""
        folder, resume = self.directory / part, self.resume
        if self.store is not None:
            asked = json.dumps([named or self.recipe.task, model, training, how], sort_keys=True)
            folder = self.store / f"{part}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
            resume = True
        return self._run(part, model, training, task, **{**how, **_plain(), "directory": folder, "resume": resume})

    def _run(self, part: str, model: Any, training: Any, task: NodeTask | None = None, **how: Any) -> Run:
        from graphstill.engine import Training, distill
        from graphstill.nn import make_model

        return distill(
            make_model(**model),
            task or self.task,
            training=Training(**training),
            **{
                "name": f"{self.recipe.name}/{part}",
                "resume": self.resume,
                "progress": part_progress(self.watch, part),
                **how,
            },
        )


@lru_cache(maxsize=1)
def _load(root: str | Path | None, task: str) -> NodeTask:
    """The newest task is kept: the recipes of a study follow each other on the same data."""
    from graphstill.data import datasets

    return datasets.load(root=root, **json.loads(task))


def _plain() -> dict[str, Any]:
    from graphstill.methods import make_method

    return {"method": make_method("independent")}


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


def _circumstances(parts: Parts, student: Run) -> dict[str, Any]:
    """What the graph's change, or a start, did to the figures: only where there was one."""
    from graphstill.engine import frozen_test
    from graphstill.study.transfer import transfer_metrics

    found, teacher, baseline = dict[str, Any](), parts.teacher, parts.baseline
    if teacher is not None and teacher.result["data_hash"] != parts.task.hash:
        found["teacher"] = _part(teacher) | {"frozen": frozen_test(teacher, parts.task)}
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


def part_progress(watch: Watcher | None, part: str) -> Callable[[int, int, dict[str, float]], None] | None:
    if watch is None:
        return None
    return lambda epoch, epochs, figures: watch(part, epoch, epochs, figures)
