"""CPF: a teacher's knowledge into label propagation and a network on features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.method import Method, Needs, Reference, Step, View, register
from graphstill.method.checks import teacher


@register("cpf")
@dataclass(frozen=True)
class CPF(Method):
    """A student learns the teacher's probabilities at all nodes but those with a training label.

    Yang, Liu, Shi: Extract the Knowledge of Graph Neural Networks and Go Beyond it: An Effective Knowledge
    Distillation Framework, WWW 2021.

        L = || p^s − p^t ||,  the Euclidean norm, not squared, of the block [nodes without training label, classes]

    Its student is ``PLP``, which has the training labels as an input and puts them back after every step of
    propagation: there is nothing to learn at those nodes, and the labels are no targets (no supervised loss). Any other
    student may take it; it then learns of the labels through the teacher alone.

    Assumes that labels spread along edges: its student is label propagation.

    Shapes: logits [M, N, C]; one term `distance` of [M], of the order of the root of the number of nodes.

    Deviations: p is the softmax of the logits (multi-label: the sigmoid). What that is for the released student, whose
    logits are scores that it propagated, is an option of the network: ``PLP(released=True)``.

    >>> run = gs.distill(gs.models.PLP(), task, teacher=teacher, method=gs.CPF())
    """

    reference = (
        Reference(
            ("Yang", "Liu", "Shi"),
            "Extract the Knowledge of Graph Neural Networks and Go Beyond it: "
            "An Effective Knowledge Distillation Framework",
            "WWW",
            2021,
            link="https://arxiv.org/abs/2103.02885",
            code="BUPT-GAMMA/CPF",
            commit="389c01a",
        ),
    )
    space = {}  # no option; alone in its loss, a weight would change nothing
    needs = Needs(teacher=True)
    only_nodes = "its student mixes propagated labels of neighbouring nodes"

    def supervision(self, progress: float) -> float:
        return 0.0

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        difference = _probabilities(s.logits, step) - _probabilities(teacher(t).logits, step)
        free = difference.index_fill(1, step.batch.train_rows, 0.0)
        return {"distance": torch.linalg.vector_norm(free, dim=(1, 2))}


def _probabilities(logits: Tensor, step: Step) -> Tensor:
    return logits.sigmoid() if step.batch.multi_label else logits.softmax(-1)
