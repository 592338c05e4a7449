"""GLNN: a graph network into a network without a graph."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import soft_target_kl
from graphstill.method import Method, Needs, Reference, Step, View, register
from graphstill.method.checks import share, teacher


@register("glnn")
@dataclass(frozen=True)
class GLNN(Method):
    """A student without a graph learns the teacher's outputs on every node that training may see.

    Zhang, Liu, Sun, Shah: Graph-less Neural Networks: Teaching Old MLPs New Tricks via Distillation, ICLR 2022.

        L = λ CE(z^s, y) + (1 − λ) mean over observed nodes of KL(softmax(z^t) ‖ softmax(z^s))

    With λ = 0, the default of the paper's code, the labels reach the student through the teacher alone. It is KD with
    T = 1 and α = 1 − λ on all nodes, under the name and the defaults by which it is known; any student may take it.

    Assumes nothing of neighbours: each node learns the teacher's output at that node, so it costs no more than the
    teacher's errors.

    Args:
        labels: λ in [0, 1].

    Shapes: logits [M, N, C]; one term `soft` of [M].

    Deviations: the released code makes two passes with optimiser steps of their own in each epoch, one for the labels
    and one for the teacher: with λ = 0 the first still decays the weights. Its batches drop the nodes that do not fill
    the last one. Here both terms are one loss on all nodes.

    >>> run = gs.distill(gs.models.MLP(hidden=16), task, teacher=teacher, method=gs.GLNN())
    """

    reference = (
        Reference(
            ("Zhang", "Liu", "Sun", "Shah"),
            "Graph-less Neural Networks: Teaching Old MLPs New Tricks via Distillation",
            "ICLR",
            2022,
            link="https://arxiv.org/abs/2110.08727",
            code="snap-research/graphless-neural-networks",
            commit="80d0f8e",
        ),
    )
    space = {"labels": (0.0, 0.1, 0.3)}
    needs = Needs(teacher=True)

    labels: float = 0.0

    def __post_init__(self) -> None:
        share(self, labels=self.labels)

    def supervision(self, progress: float) -> float:
        return self.labels

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        soft = soft_target_kl(teacher(t).logits, s.logits, 1.0, step.batch.multi_label)
        return {"soft": (1.0 - self.labels) * soft}
