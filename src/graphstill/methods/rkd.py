"""Relational knowledge distillation: distances and angles between nodes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import angle_relation, distance_relation, take
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, teacher
from graphstill.method.sampling import PLACES, Place, Sampler, counts, hidden


@register("rkd")
@dataclass(frozen=True)
class RKD(Method):
    """Pairs of nodes keep their relative distance, triples their angle.

    Park, Kim, Lu, Cho: Relational Knowledge Distillation, CVPR 2019, section 3.2.

        ψ_D(i, j) = ‖h_i − h_j‖ / μ,   μ = mean distance of the network
        ψ_A(i, j, k) = cos of the angle at i between h_j − h_i and h_k − h_i
        L = distance_weight · mean_ij smoothL1(ψ_D^t, ψ_D^s) + angle_weight · mean_ijk smoothL1(ψ_A^t, ψ_A^s)

    Assumes nothing of neighbours; that distances in the teacher's features are worth having.

    Args:
        distance_weight, angle_weight: factors of the two terms; 0 leaves a term out.
        samples: nodes drawn at random in each step, for each run its own; the angles take time samples³. null = all.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: draw from "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t], of any widths; terms `distance` and `angle` of [M]. A
    similarity transform of the student's features changes neither. Their natural weights are 1 and 2. Maps [M, N, C, H,
    W] count as one vector an image.

    Deviations: nodes are drawn where the paper takes the images of a minibatch. Gradients flow through the student's
    μ, as in the code. `released` is RepDistiller: weights 25 and 50.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + gs.RKD(samples=32))
    """

    reference = (
        Reference(
            ("Park", "Kim", "Lu", "Cho"),
            "Relational Knowledge Distillation",
            "CVPR",
            2019,
            link="https://arxiv.org/abs/1904.05068",
            code="HobbitLong/RepDistiller",
            commit="b84f547",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    distance_weight: float = 1.0
    angle_weight: float = 2.0
    samples: int | None = 128
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        not_negative(self, distance_weight=self.distance_weight, angle_weight=self.angle_weight)
        counts(self, samples=self.samples)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> RKD:
        return cls(distance_weight=25.0, angle_weight=50.0)

    def build(self, spec: Spec) -> Parts:
        return Parts(options={"sampler": Sampler(spec.seeds, self.name)})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student = step.rows(hidden(s, self.layer, self.place), self.nodes)
        target = step.rows(hidden(teacher(t), self.teacher_layer, self.place, "teacher"), self.nodes)
        sampler: Sampler = step.parts.options["sampler"]
        drawn = sampler.draw(step.at.number, student.shape[1], self.samples, student.device)
        student, target = take(student, drawn), take(target, drawn)
        named: dict[str, Tensor] = {}
        if self.distance_weight > 0:
            named["distance"] = self.distance_weight * distance_relation(target, student)
        if self.angle_weight > 0:
            named["angle"] = self.angle_weight * angle_relation(target, student)
        return named
