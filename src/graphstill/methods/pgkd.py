"""Parametric geometric knowledge distillation: a learnt kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from graphstill.errors import MethodError
from graphstill.losses import product_matching
from graphstill.method import Method, Needs, Parts, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, positive, teacher
from graphstill.method.sampling import counts, same_width
from graphstill.methods.gkd import GKD, paired_layers
from graphstill.nn.init import glorot_
from graphstill.nn.layers import MemberModule, initialise


class LearntFeatures(MemberModule):
    """tanh(ĥ φ) of features standardised over the nodes; [M or 1, N, D] -> [M, N, F]."""

    def __init__(self, members: int, width: int, features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, width, features))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        glorot_(self.weight[i], generator)

    def forward(self, h: Tensor) -> Tensor:
        return (standardised(h) @ self.weight).tanh()


@register("pgkd")
@dataclass(frozen=True)
class PGKD(Method):
    """GKD with a kernel that is learnt as the inverse of what the networks do.

    Yang, Wu, Yan: Geometric Knowledge Distillation: Topology Compression for Graph Neural Networks, NeurIPS 2022, the
    parametric variant. With g(h) = tanh(ĥ φ), ĥ the features standardised over the nodes, K_ij = g(h_i)·g(h_j) / F:

        L = mean over layers of 1/N² Σ_ij W_ij (K^t_ij − K^s_ij)²,  W_ij = 1 on edges and for i = j, δ elsewhere
        φ minimises, of teacher and student, mean ‖ 1/N Σ_j g(h_i)·g(h_j) ĥ_j^last − ĥ_i^first ‖²

    φ takes one step of an Adam of its own before each step of the student.

    Assumes nothing of neighbours; that classes form clusters in the teacher's features.

    Args:
        delta: δ, the weight of squared differences off the edges; the paper's δ is its root.
        features: F, columns of φ.
        layers: "all" hidden layers, teacher and student of equal depth, or the "last" ones.
        kernel_lr, kernel_weight_decay: learning rate and weight decay for φ.

    Shapes: hidden features before activation [M, N, D] of one width everywhere, two hidden layers or more; one term
    `kernel` of [M], exact over all pairs without an array of nodes times nodes. Its natural weight is 1 to 100.

    Deviations: as in the released code the reconstruction has no degrees in it, but a mean over nodes, and the squared
    error is a mean over nodes and channels. `released` has the code's weight decay of 0.05; its (1 − α) CE + α L and
    its sum over pairs are GKD's options and not repeated here.

    >>> run = gs.distill(student, task, teacher=teacher, method=10 * gs.PGKD(layers="last"))
    """

    reference = GKD.reference
    space = {"weight": (3.0, 10.0, 30.0, 100.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True, graph=True)

    delta: float = 0.1
    features: int = 128
    layers: Literal["all", "last"] = "all"
    kernel_lr: float = 1e-3
    kernel_weight_decay: float = 0.0

    def __post_init__(self) -> None:
        not_negative(self, delta=self.delta, kernel_weight_decay=self.kernel_weight_decay)
        counts(self, features=self.features)
        one_of(self, ("all", "last"), layers=self.layers)
        positive(self, kernel_lr=self.kernel_lr)

    @classmethod
    def released(cls) -> PGKD:
        return cls(kernel_weight_decay=0.05)

    def build(self, spec: Spec) -> Parts:
        assert spec.teacher is not None
        target, width = [h.pre.shape[-1] for h in spec.teacher.hidden], spec.widths[0]
        pairs = paired_layers(self.name, self.layers, len(spec.widths), len(target))
        if min(len(spec.widths), len(target)) < 2:
            raise MethodError(
                f"method 'pgkd' learns a kernel that leads from the last hidden layer back to the first, but the "
                f"student has {len(spec.widths)} and the teacher {len(target)}: use networks of three layers or more"
            )
        for other in (spec.widths[-1], target[0], target[-1]):
            same_width(self.name, width, other, "use networks whose hidden layers are all of one width")
        learnt = LearntFeatures(spec.members, width, self.features)
        initialise(learnt, spec.seeds)
        return Parts(
            adversary=learnt,
            adversary_lr=self.kernel_lr,
            adversary_weight_decay=self.kernel_weight_decay,
            options={"pairs": pairs},
        )

    def adversary_loss(self, s: View, t: View | None, step: Step) -> Tensor:
        learnt = step.parts.adversary
        assert learnt is not None
        losses: list[Tensor] = []
        for view in (s, teacher(t)):
            first, last = standardised(view.hidden[0].pre), standardised(view.hidden[-1].pre)
            g = learnt(view.hidden[-1].pre)
            back = g @ (g.transpose(1, 2) @ last.expand(len(g), -1, -1)) / g.shape[1]
            losses.append((back - first).square().mean((1, 2)))
        return losses[0] + losses[1]

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        t, learnt, graph = teacher(t), step.parts.adversary, s.graph.with_self_loops()
        assert learnt is not None
        losses: list[Tensor] = []
        for i, j in step.parts.options["pairs"]:
            target, student = (learnt(h.pre) / math.sqrt(self.features) for h in (t.hidden[j], s.hidden[i]))
            losses.append(product_matching(target, student, graph, self.delta))
        return {"kernel": torch.stack(losses).mean(0) / s.graph.num_nodes**2}


def standardised(h: Tensor) -> Tensor:
    """Mean 0 and variance 1 over the nodes, in every channel: [M, N, D] -> [M, N, D]."""
    h = h - h.mean(1, keepdim=True)
    return h * (h.square().mean(1, keepdim=True) + 1e-5).rsqrt()
