"""What `distill` makes of its arguments: one frozen value that says all that a training is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphstill.data import Task
from graphstill.engine.asked import model_config, updates_of
from graphstill.engine.plain import plain
from graphstill.engine.progress import Progress
from graphstill.engine.run import Run
from graphstill.engine.start import identity as start_identity
from graphstill.engine.teaching import AnyTeacher, TeacherGraph
from graphstill.engine.training import Training
from graphstill.method import Composite, Method
from graphstill.nn import Model


@dataclass(frozen=True, eq=False)
class Experiment:
    """One training of a group: by what, on what, how, and where it is kept.

    Attributes:
        name: of the run. task: its data. models: one a peer. method: a method or a sum of them.
        training: settings; seeds: one a run. teacher, teacher_graph, start: as `distill` explains them.
        directory: where the run is kept, or None. resume: go on where it stopped. progress: who is told.
        open_test: whether the test set is opened after selection. share: of the distillation, where it is guarded.
        also: what else the recipe of the run holds, as plain values.
    """

    name: str
    task: Task
    models: tuple[Model, ...]
    method: Method | Composite
    training: Training
    seeds: tuple[int, ...]
    teacher: AnyTeacher = None
    teacher_graph: TeacherGraph | None = None
    start: Run | None = None
    directory: Path | None = None
    resume: bool = False
    progress: Progress | None = None
    open_test: bool = True
    share: float = 1.0
    also: tuple[tuple[str, Any], ...] = ()

    @property
    def updates(self) -> str:
        """How peers take turns."""
        return self.training.updates or updates_of(self.method)

    @property
    def separate(self) -> bool:
        """Whether each peer is a cohort of its own because peers take turns."""
        return len(self.models) > 1 and self.updates == "alternating"

    @property
    def recipe(self) -> dict[str, Any]:
        """As results hold it: what makes a run another one, and nothing else."""
        recipe: dict[str, Any] = {
            "models": [model_config(model) for model in self.models],
            "method": self.method.config(),
            "training": self.training.config() | {"updates": self.updates},
            "seeds": list(self.seeds),
        }
        if self.teacher_graph is not None:
            recipe["teacher_graph"] = self.teacher_graph
        if (walks := self.task.protocol().get("walks")) is not None:
            recipe["walks"] = walks  # not in the task's hash: the data are the same
        if self.task.metric != self.task.usual_metric:
            recipe["metric"] = self.task.metric  # the same
        if self.start is not None:
            recipe["start"] = plain(start_identity(self.start))
        return recipe | dict(self.also) | ({} if self.share == 1 else {"share": self.share})
