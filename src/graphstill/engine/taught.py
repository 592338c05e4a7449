"""What the teacher itself reaches, on the items that its students learn and are chosen by."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.data import NodeTask, Task
from graphstill.engine import doubts
from graphstill.engine.doubts import Doubt
from graphstill.engine.knowledge import Knowledge, Teacher
from graphstill.engine.live import LiveTeacher
from graphstill.engine.teaching import AnyTeacher

#: Training items, the first of them, on which a teacher is judged that is run on each batch.
SAMPLE = 512


@torch.no_grad()
def judged(known: Knowledge | LiveTeacher, teacher: AnyTeacher, task: Task) -> tuple[dict[str, Any], list[Doubt]]:
    """The teacher's figures on "train" and "validation" items, of each of its members, and what is odd about it.

    A part is left out where the teacher says nothing about it. Of images, and of graphs where the teacher is run on
    each batch, "train" is a sample.
    """
    figures, logits = dict[str, Any](), list[Tensor]()
    for part, index in (("train", task.train_index), ("validation", task.val_index)):
        found, rows = _logits(known, task, index, part)
        if found is not None:
            figures[part] = doubts.figures_of(found, task.y[rows], task.metric, task.multi_label)
            logits.append(found)
    odd = doubts.of_teacher(figures, torch.cat(logits, 1), task) if logits else []
    module = teacher.module if isinstance(teacher, Teacher) else teacher
    if isinstance(module, torch.nn.Module):
        odd += doubts.of_module(module, "teacher", task.unused, task.of_edges)
    return figures, odd


def _logits(known: Knowledge | LiveTeacher, task: Task, index: Tensor, part: str) -> tuple[Tensor | None, Tensor]:
    """Logits [T, n, C] of items, and which items they are of; None where there are none."""
    if isinstance(known, LiveTeacher):
        assert not isinstance(task, NodeTask)
        batch = task.validation_batch() if part == "validation" else task.plain_batch(index[:SAMPLE])
        return known.outputs(batch, 1).logits, batch.items
    if part == "validation" and known.validation is not None:
        return known.validation, index
    found = known.logits.index_select(1, index)
    return (found if bool(found.isfinite().all()) else None), index
