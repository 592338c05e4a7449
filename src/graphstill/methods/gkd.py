"""Geometric knowledge distillation: kernel matrices over all pairs of nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import PairKernel, PairScale, for_kernel, kernel_matching, product_matching, relu_features
from graphstill.method import Method, Needs, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, positive, share, teacher
from graphstill.method.sampling import Sampler, counts, same_width
from graphstill.ops import Noise

#: The pairwise kernel of each of the paper's; its Gaussian exp(−d² / 4T) is rbf with T = σ² / 2.
KERNELS: dict[str, PairKernel] = {"gauss": "rbf", "exponential": "exponential", "sigmoid": "sigmoid"}


@register("gkd")
@dataclass(frozen=True)
class GKD(Method):
    """The heat kernel of the student's hidden features between all nodes is that of the teacher.

    Yang, Wu, Yan: Geometric Knowledge Distillation: Topology Compression for Graph Neural Networks, NeurIPS 2022.

        L = mean over layers of 1/N² Σ_ij W_ij (K^t_ij − K^s_ij)²,  W_ij = 1 on edges and for i = j, δ elsewhere

    Assumes that pairs of nodes which an edge joins are those whose relation is worth most (δ below 1), as where
    neighbours are alike.

    Args:
        kernel: "gauss": exp(−‖h_i − h_j‖² / 4T); "sigmoid": tanh(a h_i·h_j); "random": φ(h_i)·φ(h_j) / features with
            φ(h) = ReLU(h W), W Gaussian, drawn anew in each step and layer, the same for teacher and student;
            "exponential": exp(−‖h_i − h_j‖ / T), the released code's Gaussian.
        scale: T or a, or "data", for each network for itself: T such that 2T, or 1/a, is the mean squared distance, or
            length ("exponential": T is the root of the mean squared distance; "random": features are divided by the
            root mean squared length).
        delta: δ, the weight of squared differences off the edges; the paper's δ is its root.
        features: random features of "random".
        samples: rows of the matrices drawn at random in each step, each compared over all columns and scaled up, which
            has the right mean; null = all rows. "random" is exact and needs none.
        layers: "all" hidden layers, teacher and student of equal depth, or the "last" ones.
        reduction: "mean" over pairs, or their "sum", as released.
        alpha: null: the term beside the full supervised loss, as in the paper; a number: (1 − α) CE + α L, as released.

    Shapes: hidden features before activation [M, N, D_s] and [M or 1, N, D_t], of any widths except for "random"; one
    term `kernel` of [M]. No array of nodes times nodes is made. Its weight: 100 to 3,000.

    Deviations: the scale from the data, since features are not batch-normalised here; "random" has equal positive
    spectral weights, where the released code draws a signed one, which multiplies that step's loss by its square;
    tanh's offset is 0. `released`: exponential, T = 1, δ = 0.1, the sum over all pairs, α = 0.5.

    >>> run = gs.distill(student, task, teacher=teacher, method=10 * gs.GKD(kernel="gauss", layers="last"))
    """

    reference = (
        Reference(
            ("Yang", "Wu", "Yan"),
            "Geometric Knowledge Distillation: Topology Compression for Graph Neural Networks",
            "NeurIPS",
            2022,
            link="https://arxiv.org/abs/2210.13014",
            code="chr26195/GKD",
            commit="69a0413",
        ),
    )
    space = {"weight": (30.0, 300.0, 3000.0, 30000.0), "kernel": ("gauss", "sigmoid", "random")}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True, graph=True)

    kernel: Literal["gauss", "exponential", "sigmoid", "random"] = "gauss"
    scale: PairScale = "data"
    delta: float = 0.1
    features: int = 128
    samples: int | None = 512
    layers: Literal["all", "last"] = "all"
    reduction: Literal["mean", "sum"] = "mean"
    alpha: float | None = None

    def __post_init__(self) -> None:
        one_of(self, (*KERNELS, "random"), kernel=self.kernel)
        if self.scale != "data":
            positive(self, scale=self.scale)
        not_negative(self, delta=self.delta)
        counts(self, features=self.features, samples=self.samples)
        one_of(self, ("all", "last"), layers=self.layers)
        one_of(self, ("mean", "sum"), reduction=self.reduction)
        if self.alpha is not None:
            share(self, alpha=self.alpha)

    @classmethod
    def released(cls) -> GKD:
        return cls(kernel="exponential", scale=1.0, samples=None, reduction="sum", alpha=0.5)

    def supervision(self, progress: float) -> float:
        return 1.0 if self.alpha is None else 1.0 - self.alpha

    def build(self, spec: Spec) -> Parts:
        assert spec.teacher is not None
        pairs = paired_layers(self.name, self.layers, len(spec.student.hidden), len(spec.teacher.hidden))
        if self.kernel == "random":
            for i, j in pairs:
                student, target = spec.student.hidden[i].pre.shape[-1], spec.teacher.hidden[j].pre.shape[-1]
                same_width(self.name, student, target, "choose another kernel, or networks of equal width")
        sampler, noise = Sampler(spec.seeds, self.name), Noise(spec.seeds, spec.device)
        return Parts(options={"pairs": pairs, "sampler": sampler, "noise": noise})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        t, options = teacher(t), step.parts.options
        nodes, graph = s.graph.num_nodes, s.graph.with_self_loops()
        rows = options["sampler"].draw(step.at.number, nodes, self.samples, s.logits.device)
        noise = options["noise"].at(step.at.number)
        losses: list[Tensor] = []
        for i, j in options["pairs"]:
            student, target = s.hidden[i].pre, t.hidden[j].pre
            if self.kernel == "random":
                directions = noise.normal((student.shape[-1], self.features), student.dtype)
                target, student = (relu_features(h, directions, self.scale) for h in (target, student))
                losses.append(product_matching(target, student, graph, self.delta))
            else:
                kernel, scale = KERNELS[self.kernel], self._pair_scale()
                target, student = for_kernel(kernel, target, scale), for_kernel(kernel, student, scale)
                losses.append(kernel_matching(kernel, target, student, graph, self.delta, rows))
        total = torch.stack(losses).mean(0) * (1.0 if self.alpha is None else self.alpha)
        return {"kernel": total if self.reduction == "sum" else total / nodes**2}

    def _pair_scale(self) -> PairScale:
        if self.scale == "data" or self.kernel == "exponential":
            return self.scale
        return math.sqrt(2 * self.scale) if self.kernel == "gauss" else 1 / math.sqrt(self.scale)


def paired_layers(name: str, layers: str, student: int, target: int) -> list[tuple[int, int]]:
    """Pairs of hidden layers, by number, of student and teacher."""
    if layers == "last":
        return [(student - 1, target - 1)]
    if student != target:
        raise MethodError(
            f"method {name!r} pairs all hidden layers, but the student has {student} and the teacher {target}: "
            f'use layers="last", or networks of equal depth'
        )
    return [(i, i) for i in range(student)]
