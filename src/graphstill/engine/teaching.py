"""What a run's teacher knows, from whatever was given as one: a run, a module, a table of outputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor

from graphstill.data import GraphTask, ImageTask, NodeTask, Task
from graphstill.engine import knowledge
from graphstill.engine.knowledge import Knowledge, Teacher
from graphstill.engine.live import LiveTeacher, ensemble
from graphstill.engine.run import GIVEN, Run
from graphstill.errors import ConfigError
from graphstill.method import Composite, Method


@dataclass(frozen=True)
class Ensemble:
    """All members of a run as one teacher: each student learns from the mean of their probabilities.

    >>> run = gs.distill(student, task, teacher=gs.Ensemble(teacher), method=gs.KD())
    """

    run: Run


AnyTeacher = Run | str | Path | Ensemble | Knowledge | Teacher | torch.nn.Module | Tensor | NDArray[Any] | None
#: The graph that a teacher's outputs are computed on, where the task has an `origin`: that one's, or the task's own.
TeacherGraph = Literal["full", "own"]


def knowledge_of(
    teacher: AnyTeacher, task: Task, method: Method | Composite, runs: int, graph: TeacherGraph | None
) -> Knowledge | LiveTeacher | None:
    """The teacher of `runs` students, after checking that it was made from this data.

    On a graph it is a table, computed once; on images, which are drawn anew each time, the network itself, and so of
    many graphs where hidden features are asked for, which are more than a table should hold.
    """
    if isinstance(teacher, str | Path):
        teacher = Run.load(teacher, task.y.device)
    tabular = not isinstance(teacher, Run | Ensemble | Teacher | torch.nn.Module)
    if isinstance(task, ImageTask):
        if graph is not None:
            raise ConfigError(f"teacher_graph={graph!r}, but task {task.name!r} has no graph: leave it out")
        return None if teacher is None else knowledge.match_runs(*_live(teacher, task, runs))
    knowledge.check_graph(graph, task, tabular)
    hidden = any(t.method.needs.teacher_hidden for t in method.terms)
    if isinstance(task, GraphTask) and hidden and isinstance(teacher, Run | Ensemble):
        return knowledge.match_runs(*_live(teacher, task, runs))
    return None if teacher is None else _table(teacher, task, method, runs, graph)


def _live(teacher: AnyTeacher, task: Task, runs: int) -> tuple[LiveTeacher, int, int]:
    if not isinstance(teacher, Run | Ensemble):
        raise ConfigError(
            f"the teacher of task {task.name!r} is a {type(teacher).__name__}: images are augmented, so that their "
            "teacher must be run on each batch; give a run of a network of images"
        )
    run, together = _opened(teacher)
    task.check_teacher(run.result["data_hash"], f"the teacher {run.name!r}")
    live = LiveTeacher(run.cohort, task.hash, _source(run, together), together, multi_label=task.multi_label)
    return live, runs, run.best_member()


def _table(
    teacher: AnyTeacher,
    task: NodeTask | GraphTask,
    method: Method | Composite,
    runs: int,
    graph: TeacherGraph | None,
) -> Knowledge:
    hidden = any(t.method.needs.teacher_hidden for t in method.terms)
    sensitivity = any(t.method.needs.teacher_sensitivity for t in method.terms)
    best, given = 0, {"full": task.origin or task, "own": task}
    if isinstance(teacher, Knowledge):
        known = teacher
        made = task if known.task_hash is None else task.check_teacher(known.task_hash, "the teacher's table")
        known = replace(known, source=known.source | knowledge.privileged(task, made, made))
    elif isinstance(teacher, Run | Ensemble):
        run, together = _opened(teacher)
        trained = task.check_teacher(run.result["data_hash"], f"the teacher {run.name!r}")
        shown = trained if graph is None else given[graph]
        # Of a network that was trained elsewhere it is not known on what.
        known_by = None if run.result["kind"] == GIVEN else trained
        source = _source(run, together) | knowledge.privileged(task, known_by, shown)
        known = knowledge.of_cohort(run.cohort, shown, hidden and not together, source, sensitivity and not together)
        if together:
            seen, unseen = known.logits, known.validation
            unseen = None if unseen is None else ensemble(unseen, task.multi_label)
            known = replace(known, logits=ensemble(seen, task.multi_label), validation=unseen)
        best = run.best_member()
    elif isinstance(teacher, Teacher | torch.nn.Module):
        module, shown = teacher if isinstance(teacher, Teacher) else Teacher(teacher), given[graph or "own"]
        known = knowledge.of_module(module, shown, sensitivity)
        known = replace(known, source=known.source | knowledge.privileged(task, None, shown))
    else:
        known = knowledge.of_array(teacher, task)
    return knowledge.match_runs(known, runs, best)


def _opened(teacher: Run | Ensemble) -> tuple[Run, bool]:
    """The run, and whether its members teach together."""
    if isinstance(teacher, Ensemble) and not isinstance(teacher.run, Run):
        raise ConfigError(f"the ensemble of a {type(teacher.run).__name__}: give Ensemble(run), of a run")
    return (teacher.run, True) if isinstance(teacher, Ensemble) else (teacher, False)


def _source(run: Run, together: bool) -> dict[str, Any]:
    """Where the knowledge comes from, as a result tells it."""
    source = {"kind": "run", "name": run.name, "recipe": run.result["recipe"]}
    return source | {"ensemble": run.members} if together else source
