"""Similarity preserving: nodes that the teacher finds alike are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.losses import similarity_rows
from graphstill.method import Method, Needs, Nodes, Reference, Step, View, register
from graphstill.method.checks import one_of, teacher
from graphstill.method.sampling import PLACES, Place, hidden


@register("sp")
@dataclass(frozen=True)
class SP(Method):
    """The matrix of inner products between all nodes, its rows normalised, is that of the teacher.

    Tung, Mori: Similarity-Preserving Knowledge Distillation, ICCV 2019, section 3.

        G = H Hᵀ,  Ĝ_i = G_i / ‖G_i‖,   L = 1/N Σ_i ‖Ĝ^t_i − Ĝ^s_i‖²

    Exact over all pairs at the cost of a product of widths: no matrix of nodes times nodes is made, except where there
    are fewer nodes than widths.

    Assumes nothing of neighbours; that similarities in the teacher's features are worth having.

    Args:
        reduction: "rows": the mean over rows, between 0 and 4; "pairs": divided by the number of nodes once more, as
            the paper writes it, which vanishes as the graph grows.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t], of any widths; one term `similarity` of [M]. Its natural
    weight is 1. Maps [M, N, C, H, W] count as one vector an image.

    Deviations: all nodes of the batch at once instead of a minibatch of 64 images, and one layer instead of several.
    `released` is RepDistiller: the mean over pairs; its scripts multiply by 3000.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + gs.SP())
    """

    reference = (
        Reference(
            ("Tung", "Mori"),
            "Similarity-Preserving Knowledge Distillation",
            "ICCV",
            2019,
            link="https://arxiv.org/abs/1907.09682",
            code="HobbitLong/RepDistiller",
            commit="b84f547",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0, 10.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    reduction: Literal["rows", "pairs"] = "rows"
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        one_of(self, ("rows", "pairs"), reduction=self.reduction)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> SP:
        return cls(reduction="pairs")

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student = step.rows(hidden(s, self.layer, self.place), self.nodes)
        target = step.rows(hidden(teacher(t), self.teacher_layer, self.place, "teacher"), self.nodes)
        rows = similarity_rows(target, student)
        return {"similarity": rows / student.shape[1] if self.reduction == "pairs" else rows}
