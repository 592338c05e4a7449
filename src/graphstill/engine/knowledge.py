"""A frozen teacher as a table: its outputs on every node that training may see, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from graphstill.data import Batch, GraphTask, NodeTask
from graphstill.data.convert import as_tensor
from graphstill.engine.items import check_items
from graphstill.engine.live import LiveTeacher
from graphstill.errors import ConfigError, DataError
from graphstill.losses import entropy
from graphstill.method import View, map_hidden
from graphstill.nn import Cohort, Hidden, Output, wrap
from graphstill.nn.inputs import as_dense


@dataclass
class Knowledge:
    """Outputs of T teachers on all items of a task: T = 1 (one teacher for all runs) or one for each run.

    logits [T, N, C]; hidden layers [T, N, D], where items are nodes; rows that training may not see hold NaN, so that a
    misuse shows. `task_hash` names the data it was computed on (None: not known, an array of the user's).
    sensitivity [T, N], where it was asked for: by how much the entropy of the outputs at each node moves when standard
    normal noise is added to all features. `validation` [T, validation items, C]: logits there, where training does not
    see these items.
    """

    logits: Tensor
    hidden: Sequence[Hidden]
    task_hash: str | None
    source: dict[str, Any]
    sensitivity: Tensor | None = None
    validation: Tensor | None = None

    @property
    def teachers(self) -> int:
        return self.logits.shape[0]

    @property
    def has_hidden(self) -> bool:
        return bool(self.hidden)

    def view(self, batch: Batch, peers: int) -> View:
        """The teacher's view of a batch, its rows one for each member (or one for all)."""

        def rows(x: Tensor) -> Tensor:
            x = x if x.shape[1] == batch.items.shape[0] and batch.full else x.index_select(1, batch.items)
            return x if x.shape[0] == 1 or peers == 1 else x.repeat_interleave(peers, 0)

        hidden = [map_hidden(h, rows) for h in self.hidden]
        return View(rows(self.logits), hidden, batch.graph, batch.nodes, items=batch.items)

    def sensitivity_of_members(self, peers: int) -> Tensor | None:
        """`sensitivity` with one row for each member (or one for all)."""
        table = self.sensitivity
        return table if table is None or len(table) == 1 or peers == 1 else table.repeat_interleave(peers, 0)

    def for_runs(self, chosen: Sequence[int]) -> Knowledge:
        """The teachers at these positions, in this order."""
        index = torch.tensor(list(chosen), device=self.logits.device)
        hidden = [map_hidden(h, lambda x: x[index]) for h in self.hidden]
        sensitivity = None if self.sensitivity is None else self.sensitivity[index]
        validation = None if self.validation is None else self.validation[index]
        return Knowledge(self.logits[index], hidden, self.task_hash, self.source, sensitivity, validation)


@torch.no_grad()
def of_cohort(
    cohort: Cohort,
    task: NodeTask | GraphTask,
    with_hidden: bool,
    source: dict[str, Any],
    with_sensitivity: bool = False,
) -> Knowledge:
    """The table of a trained cohort: evaluation outputs on the training graph."""
    batches = list(task.training_graphs())
    outputs: list[Output] = [_kept(cohort(b.x, b.graph), with_hidden) for b in batches]
    for batch, out in zip(batches, outputs, strict=True):
        check_items(out.logits, batch, f"the teacher, {cohort.spec},")
    moved = _entropy_moved(cohort, task, batches, outputs) if with_sensitivity else []
    if len(batches) == 1 and batches[0].full and batches[0].items.shape[0] == task.num_items:
        out = outputs[0]
        hidden = list(out.hidden) if with_hidden else []
        return Knowledge(out.logits, hidden, task.hash, source, moved[0] if moved else None)

    def spread(parts: list[Tensor]) -> Tensor:
        full = parts[0].new_full((parts[0].shape[0], task.num_items, *parts[0].shape[2:]), float("nan"))
        for b, part in zip(batches, parts, strict=True):
            full[:, b.items] = part
        return full

    def table(pick: Any) -> Tensor:
        return spread([pick(o) for o in outputs])

    hidden = [
        Hidden(
            table(lambda o, i=i: o.hidden[i].pre),
            table(lambda o, i=i: o.hidden[i].post),
            table(lambda o, i=i: o.hidden[i].dropped),
        )
        for i in range(len(outputs[0].hidden) if with_hidden else 0)
    ]
    validation = None
    if task.graph_ptr is not None:
        unseen = task.validation_batch()
        pieces = unseen.pieces or (unseen,)
        logits = torch.cat([cohort(piece.x, piece.graph).logits for piece in pieces], 1)
        validation = logits.index_select(1, unseen.val_rows)
    sensitivity = spread(moved) if moved else None
    return Knowledge(table(lambda o: o.logits), hidden, task.hash, source, sensitivity, validation)


def _kept(out: Output, with_hidden: bool) -> Output:
    return out if with_hidden else Output(out.logits)


def _entropy_moved(
    cohort: Cohort, task: NodeTask | GraphTask, batches: Sequence[Batch], clean: Sequence[Output]
) -> list[Tensor]:
    """|H(outputs at x + ε) − H(outputs at x)| with one draw ε ~ N(0, 1) for all teachers, [T, rows] a batch."""
    generator, moved = torch.Generator().manual_seed(0), []
    for b, out in zip(batches, clean, strict=True):
        x = as_dense(b.x)
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        after = entropy(cohort(x + noise, b.graph).logits, task.multi_label)
        moved.append((after - entropy(out.logits, task.multi_label)).abs())
    return moved


@dataclass(frozen=True)
class Teacher:
    """A trained module of any kind as a teacher, with its hidden features by module name.

    Args:
        module: takes (x, edge_index) or a PyG Data, returns logits [nodes, outputs].
        taps: names of submodules (as in ``module.named_modules()``) whose outputs are its hidden layers, first to last.

    >>> taught = gs.distill(student, task, teacher=gs.Teacher(network), method=gs.KD())
    """

    module: nn.Module
    taps: Sequence[str] = ()


def of_module(teacher: Teacher, task: NodeTask | GraphTask, with_sensitivity: bool = False) -> Knowledge:
    """The table of the user's trained module; it is not changed."""
    cohort = wrap(teacher.module, task.in_features, task.num_outputs, teacher.taps)
    source = {"kind": "module", "class": type(teacher.module).__name__, "taps": list(teacher.taps)}
    return of_cohort(cohort.to(task.y.device), task, bool(teacher.taps), source, with_sensitivity)


def of_array(logits: Any, task: NodeTask | GraphTask) -> Knowledge:
    """Knowledge from the user's logits [N, C] or [T, N, C] of the task's items: a numpy array or a tensor.

    Raises:
        DataError: the shape does not fit the task, or a value is not finite.
    """
    table = as_tensor(logits, "the teacher").float()
    table = table[None] if table.dim() == 2 else table
    expected = (task.num_items, task.num_outputs)
    if table.dim() != 3 or tuple(table.shape[1:]) != expected:
        raise DataError(
            f"teacher logits have shape {tuple(table.shape)}, but task {task.name!r} has {expected[0]} {task.item}s "
            f"and "
            f"{expected[1]} outputs: give an array [{task.item}s, outputs] in the task's {task.item} order"
        )
    if not bool(torch.isfinite(table).all()):
        row = int((~torch.isfinite(table)).nonzero()[0, 1])
        raise DataError(
            f"teacher logits are not finite at {task.item} {row}: check the teacher, or give logits, not log(0)"
        )
    return Knowledge(table.to(task.y.device), [], None, {"kind": "array", "shape": list(table.shape)})


Known = TypeVar("Known", Knowledge, LiveTeacher)


def match_runs(knowledge: Known, runs: int, best: int) -> Known:
    """One teacher for each run where the numbers agree, else the one that validation picked, for all runs."""
    teachers = knowledge.teachers
    if teachers in (1, runs):
        return knowledge
    if not 0 <= best < teachers:
        raise ConfigError(f"the teacher has {teachers} members, not member {best}: choose one of 0..{teachers - 1}")
    return knowledge.for_runs([best])


def check_graph(graph: str | None, task: NodeTask | GraphTask, tabular: bool) -> None:
    """Raises ConfigError where no choice of the graph that the teacher's outputs are computed on makes sense."""
    if graph not in (None, "full", "own"):
        raise ConfigError(f'teacher_graph={graph!r}: give "full", "own", or leave it out')
    if graph is not None and tabular:
        raise ConfigError(f"teacher_graph={graph!r}, but no network is the teacher: leave it out, or give a network")
    if graph is not None and task.origin is None:
        raise ConfigError(
            f"teacher_graph={graph!r}, but task {task.name!r} is whole: leave it out, or remove edges or training nodes"
        )


def privileged(
    task: NodeTask | GraphTask, trained: NodeTask | GraphTask | None, shown: NodeTask | GraphTask
) -> dict[str, Any]:
    """What a teacher knew that the students do not, for source and protocol; nothing where it knew the same.

    `trained`: the task it was trained on (None: not known); `shown`: the one its outputs were computed on; each is
    `task` or its origin.
    """
    whole = task.origin
    if whole is None or whole.hash == task.hash or (trained is not whole and shown is not whole):
        return {}
    facts = {"data_hash": whole.hash, "edges": whole.num_edges, "train": len(whole.train_index)}
    trained_on = "unknown" if trained is None else "full" if trained is whole else "own"
    return {"privileged": {"trained_on": trained_on, "outputs_on": "full" if shown is whole else "own", **facts}}
