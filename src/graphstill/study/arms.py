"""The runs that a recipe consists of: teacher, start, undistilled student, student."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphstill.errors import ConfigError
from graphstill.study.place import device, load_task
from graphstill.study.recipe import Recipe

if TYPE_CHECKING:
    from graphstill.data import Task
    from graphstill.engine import Ensemble, Run

REMOVALS = ("edges_removed", "edges_seed", "train_removed", "train_seed", "positions")  # what an origin has none of
#: Called with (part, epoch, epochs, figures); part is "teacher", "baseline", "start" or "student".
Watcher = Callable[[str, int, int, dict[str, float]], None]


class Arms:
    """Each run is trained, or loaded where it is finished, when it is asked for."""

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
    def task(self) -> Task:
        return _load(self.root, json.dumps(self.recipe.task, sort_keys=True), str(device()))

    @cached_property
    def teacher(self) -> Run | None:
        from graphstill.engine import Run

        teacher = self.recipe.teacher
        if teacher is None:
            return None
        if teacher.run is not None:
            return Run.load(teacher.run, device())
        task, named = self.task, self.recipe.task
        if teacher.task == "full":
            task, named = task.origin or task, {**named, **dict.fromkeys(REMOVALS)}
        return self._shared("teacher", teacher.model, teacher.training, {"seeds": teacher.seeds}, task, named)

    @cached_property
    def start(self) -> Run | None:
        """What the student begins with: trained on a task of its own, whose test labels stay sealed."""
        from graphstill.data import NodeTask
        from graphstill.engine import Run

        start = self.recipe.start
        if start is None:
            return None
        if start.task is None:
            return Run.load(start.run or "", device())
        task = load_task(start.task, self.root)
        if start.shuffle_labels:
            if not isinstance(task, NodeTask):
                raise ConfigError(f"start.shuffle_labels, but task {task.name!r} is made of images: leave it out")
            task = task.with_shuffled_labels(start.task["seed"])
        how = {**self._group(), "open_test": False}
        return self._shared("start", self.recipe.student, start.training, how, task, start.resolved())

    @cached_property
    def baseline(self) -> Run | None:
        recipe = self.recipe
        if recipe.baseline_student is None:
            return None
        # As many trainings to choose from as the student has.
        choices = {"choices": len(recipe.guard)} if isinstance(recipe.guard, list) else {}
        return self._shared("baseline", recipe.baseline_student, recipe.baseline_training, {**self._group(), **choices})

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
                "teacher": self._taught_by(),
                "teacher_graph": None if recipe.teacher is None else recipe.teacher.graph,
                "start": self.start,
                "guard": recipe.guard,
                **self._group(),
                **how,
            },
        )

    def trial(self, part: str, seeds: list[int]) -> Run:
        """The student or the undistilled student with other seeds, the test set left sealed, nothing written."""
        how: dict[str, Any] = {"seeds": seeds, "open_test": False, "directory": None, "resume": False, "guard": False}
        if part == "student":
            return self.student(**how)
        recipe = self.recipe
        own = {**self._group(), **_plain(), **how}
        return self._run(part, recipe.baseline_student, recipe.baseline_training, **own)

    def _taught_by(self) -> Run | Ensemble | None:
        from graphstill.engine import Ensemble

        together = self.recipe.teacher is not None and self.recipe.teacher.ensemble
        return Ensemble(self.teacher) if together and self.teacher is not None else self.teacher

    def _group(self) -> dict[str, Any]:
        return {"peers": self.recipe.peers, "seeds": self.recipe.seeds}

    def _shared(
        self, part: str, model: Any, training: Any, how: dict[str, Any], task: Task | None = None, named: Any = None
    ) -> Run:
        """A run that other recipes may share; `named` tells in plain values which task it is on."""
        folder, resume = self.directory / part, self.resume
        if self.store is not None:
            folder = self.store / f"{part}-{digest(named or self.recipe.task, model, training, how)}"
            resume = True
            how = {**how, "name": f"{self.recipe.task['name']}-{model['name']}/{part}"}  # no recipe's own
        return self._run(part, model, training, task, **{**how, **_plain(), "directory": folder, "resume": resume})

    def _run(self, part: str, model: Any, training: Any, task: Task | None = None, **how: Any) -> Run:
        from graphstill.engine import Training, distill
        from graphstill.models import make_model

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
def _load(root: str | Path | None, task: str, device: str) -> Task:  # noqa: ARG001 - of another device, another task
    """The newest task is kept: the recipes of a study follow each other on the same data."""
    return load_task(json.loads(task), root)


def digest(*values: Any) -> str:
    """Under which name something is kept that these plain values determine."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def _plain() -> dict[str, Any]:
    from graphstill.methods import make_method

    return {"method": make_method("independent")}


def part_progress(watch: Watcher | None, part: str) -> Callable[[int, int, dict[str, float]], None] | bool:
    """What a training reports to; nothing is shown by itself."""
    if watch is None:
        return False
    return lambda epoch, epochs, figures: watch(part, epoch, epochs, figures)
