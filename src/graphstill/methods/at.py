"""Attention transfer: which nodes are strongly active."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.losses import attention_distance
from graphstill.method import Method, Needs, Nodes, Reference, Step, View, register
from graphstill.method.checks import one_of, positive, teacher
from graphstill.method.sampling import PLACES, Place, features, same_places
from graphstill.methods.gcrd import GCRD


@register("at")
@dataclass(frozen=True)
class AT(Method):
    """The map of activity over the nodes is that of the teacher.

    Zagoruyko, Komodakis: Paying More Attention to Attention, ICLR 2017, section 3.1; for graphs as in Joshi et al.: On
    Representation Knowledge Distillation for Graph Neural Networks, TNNLS 2022.

        a_i = Σ_c |h_ic|^p,   L = ‖a^t / ‖a^t‖ − a^s / ‖a^s‖‖²

    Assumes nothing of neighbours; that the teacher's features are strong where the student's should be.

    Args:
        power: p.
        reduction: "sum" over nodes: between 0 and 2 however many nodes there are; "mean": divided by their number, as
            in the released code, so that its weight grows with the graph. Of maps: positions in place of nodes.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: "train" or "all" nodes of the batch. The map is normalised over them, so it depends on the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t], of any widths; one term `attention` of [M]. Its natural
    weight is 1. Of maps [M, N, C, H, W] each image has a map of activity of its own, over its positions, as in the
    paper; the larger ones are averaged down first, and the term is the mean over images.

    Deviations: on graphs nodes stand for the pixels of the paper's maps; one layer is compared instead of one of each
    group, and the squared norm is taken instead of the norm. `released` is efficient-gnns: the mean over training
    nodes, features after dropout; its scripts multiply by 1e5 (1e4 beside KD; 1e3 on PPI).

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + gs.AT())
    """

    reference = (
        Reference(
            ("Zagoruyko", "Komodakis"),
            "Paying More Attention to Attention",
            "ICLR",
            2017,
            link="https://arxiv.org/abs/1612.03928",
        ),
        *GCRD.reference,
    )
    space = {"weight": (0.1, 1.0, 10.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    power: float = 2.0
    reduction: Literal["sum", "mean"] = "sum"
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        positive(self, power=self.power)
        one_of(self, ("sum", "mean"), reduction=self.reduction)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> AT:
        return cls(reduction="mean", place="dropped", nodes="train")

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student = features(s, self.layer, self.place)
        target = features(teacher(t), self.teacher_layer, self.place, "teacher")
        if step.batch.graphs is not None:  # over the nodes of each graph
            distance = attention_distance(target, student, self.power, s.graph.groups)
            return {"attention": distance * (s.graph.num_graphs / s.graph.num_nodes if self.reduction == "mean" else 1)}
        student, target = step.rows(student, self.nodes), step.rows(target, self.nodes)
        student, target = same_places(self.name, student, target)
        distance = attention_distance(target, student, self.power)
        places = student.shape[1] if student.dim() == 3 else student.shape[3:].numel()
        return {"attention": distance / places if self.reduction == "mean" else distance}
