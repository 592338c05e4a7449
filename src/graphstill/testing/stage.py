"""A method on a stage: students, teacher and modules as the engine would set them up, one step to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphstill.data import NodeTask
from graphstill.engine import Training, knowledge, terms
from graphstill.engine.again import Again
from graphstill.engine.group import Group
from graphstill.method import Composite, Method, Parts, Peers, Position, Step, View
from graphstill.nn import GCN, ROD, Hidden, Model
from graphstill.nn.output import Output

STUDENT = GCN(hidden=6, layers=3, dropout=0.0)
WITH_HEADS = ROD(hidden=6, hops=2, dropout=0.0)


def peers_of(method: Method) -> int:
    """How many peers a group of the method has here."""
    return 3 if method.needs.peers else 1


def student_of(method: Method) -> Model:
    """A small network that the method can train."""
    return WITH_HEADS if method.needs.heads else STUDENT


@dataclass
class Stage:
    """What `loss` is given: students, teacher or peers, the step; the group and its terms behind them."""

    s: View
    t: View | None
    peers: Peers
    step: Step
    group: Group
    active: list[terms.ActiveTerm]

    def move(self, **position: float) -> None:
        """Another position of the step: `epoch`, `progress` or `number`."""
        changed: dict[str, Any] = position
        self.put(at=replace(self.step.at, **changed))

    def put(self, **changes: Any) -> None:
        """Another part of the step."""
        self.step = replace(self.step, **changes)

    def terms(self, s: View | None = None, t: View | None = None) -> dict[str, Tensor]:
        """Named terms of the loss, [M] each; of other students or another target where they are given."""
        term = self.active[0]
        self.put(parts=term.parts)
        return term.method.loss(s or self.s, t if t is not None else self.t, self.step)

    def total(self, s: View | None = None, t: View | None = None) -> Tensor:
        """Sum of the method's own terms, [M]; zero where it has none."""
        values = list(self.terms(s, t).values())
        return sum(values[1:], values[0]) if values else torch.zeros(self.group.members)


def set_stage(method: Method, task: NodeTask, seeds: list[int], teacher_model: GCN | None = None) -> Stage:
    """The method at the first batch of a task, a member a seed (and peer), the teacher with weights as they begin."""
    peers = peers_of(method)
    group = Group([student_of(method)] * peers, task.in_features, task.num_outputs, seeds, False, task.y.device)
    known = None
    if method.needs.teacher:
        model = teacher_model or GCN(hidden=6, layers=3, dropout=0.0)
        teacher = model.build(task.in_features, task.num_outputs, [99])
        known = knowledge.of_cohort(teacher, task, True, {"kind": "test"}, with_sensitivity=True)
    batch = task.training_batches(0)[0]
    active = terms.build(Composite(method.terms), group, task, batch, known, Training(), seeds, "gcn")
    own = group.blocks[0].train_output(batch, 0)
    s, others = group.views(batch, group.blocks[0], own)
    again = Again(group.blocks[0], batch, 0)
    step = Step(Position(0, 0.0), batch, Parts(), others, again=again)
    t = known.view(batch, peers) if known is not None else others if method.needs.peers else None
    return Stage(s, t, others, step, group, active)


def as_target(view: View, like: View | None) -> View | None:
    """`view` in the place of the target `like`."""
    d = view.detach()
    if isinstance(like, Peers):
        return Peers(d.logits, d.hidden, d.graph, d.nodes, like.runs, like.peers)
    return d if like is not None else None


def with_tensors(view: View, output: Output) -> View:
    """The same view of another output."""
    return View(output.logits, output.hidden, view.graph, view.nodes, heads=output.heads)


def map_view(view: View, change: Callable[[Tensor], Tensor]) -> View:
    """The view with every tensor changed."""
    return View(
        change(view.logits),
        [Hidden(change(h.pre), change(h.post), change(h.dropped)) for h in view.hidden],
        view.graph,
        view.nodes,
        heads=None if view.heads is None else change(view.heads),
    )
