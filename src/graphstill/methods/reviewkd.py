"""Knowledge review: each stage of the teacher supervises that stage of the student and all deeper ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import graph_context, image_context
from graphstill.method import Method, Needs, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, teacher
from graphstill.method.parts.review_fusion import Review
from graphstill.method.sampling import PLACES, Place, counts
from graphstill.nn.layers import initialise
from graphstill.nn.output import Hidden


@register("reviewkd")
@dataclass(frozen=True)
class ReviewKD(Method):
    """The student's stages, fused from the deepest on, are the teacher's stages at every scale.

    Chen, Liu, Zhao, Jia: Distilling Knowledge via Knowledge Review, CVPR 2021, section 3. From the deepest stage to the
    shallowest, with r' the r of the stage before at this one's size:

        x = BN(conv1x1(h)),  [a, b] = σ(conv1x1([x ; r'])),  r = a x + b r',  o = BN(conv3x3(r))
        L = min(1, epoch / warm_up) · Σ_stages HCL(o, h^t)

    HCL is the mean squared distance of the maps, and of their averages in 4 x 4, 2 x 2 and 1 x 1 parts that count ½, ¼
    and ⅛, over the sum of these weights. The fusion is learnt with the student and dropped afterwards.

    Args:
        warm_up: epochs over which the term rises to its weight; it is absent in the first. 0 = none.
        stages: how many of the last hidden layers are compared; null = all, of which both networks must have as many.
        place, teacher_place: features of the student and of the teacher before activation ("pre"), after it ("post"),
            or after dropout ("dropped").

    Shapes: hidden layers [M, N, C, H, W], or [M, N, D], which is a map of one position; teacher [M or 1, ...]. Widths
    and sizes may differ. One term `review` of [M]; published weights are 0.6 to 8.

    Deviations: what is passed on to the shallower stage is r, as in the released code, where the paper's figure shows
    o. On graphs, our extension, layers stand for stages, the last convolution is a product, and HCL compares nodes (1),
    their means over one hop (½), two hops (¼) and all nodes of the batch (⅛). `released` is the same: that its script
    for CIFAR leaves the teacher's batch normalisation in training mode is not followed.

    >>> run = gs.distill(student, task, teacher=teacher, method=5 * gs.ReviewKD())
    """

    reference = (
        Reference(
            ("Chen", "Liu", "Zhao", "Jia"),
            "Distilling Knowledge via Knowledge Review",
            "CVPR",
            2021,
            link="https://arxiv.org/abs/2104.09044",
            code="dvlab-research/ReviewKD",
        ),
    )
    space = {"weight": (0.6, 1.0, 8.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    warm_up: float = 20
    stages: int | None = None
    place: Place = "post"
    teacher_place: Place = "pre"

    def __post_init__(self) -> None:
        not_negative(self, warm_up=self.warm_up)
        counts(self, stages=self.stages)
        one_of(self, PLACES, place=self.place, teacher_place=self.teacher_place)

    @classmethod
    def released(cls) -> ReviewKD:
        return cls()

    def build(self, spec: Spec) -> Parts:
        assert spec.teacher is not None
        layers = self._last(spec.student.hidden, "student"), self._last(spec.teacher.hidden, "teacher")
        if len(layers[0]) != len(layers[1]):
            raise MethodError(
                f"method {self.name!r} compares hidden layer by hidden layer, but the student has {len(layers[0])} and "
                f"the teacher {len(layers[1])}: set stages, the number of last ones to compare, to "
                f"{min(map(len, layers))} at most"
            )
        student, target = ([h.pre.shape[2] for h in side] for side in layers)
        joint = Review(spec.members, student, target, 3 if has_maps(spec.student.hidden) else 1)
        initialise(joint, spec.seeds)
        return Parts(joint=joint)

    def _last(self, hidden: Sequence[Hidden], who: str) -> Sequence[Hidden]:
        count = self.stages or len(hidden)
        if count > len(hidden):
            raise MethodError(
                f"method {self.name!r} is to compare the last {count} hidden layers, but the {who} has {len(hidden)}: "
                "lower stages, or take a deeper network"
            )
        return hidden[-count:]

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        factor = min(1.0, step.at.epoch / self.warm_up) if self.warm_up else 1.0
        if factor == 0:
            return {}
        student = [as_maps(getattr(h, self.place)) for h in self._last(s.hidden, "student")]
        target = [as_maps(getattr(h, self.teacher_place)) for h in self._last(teacher(t).hidden, "teacher")]
        assert isinstance(step.parts.joint, Review)
        found = step.parts.joint(student, [x.shape[3:] for x in target])
        if has_maps(s.hidden):
            terms = [image_context(*pair) for pair in zip(target, found, strict=True)]
        else:
            terms = [graph_context(a.flatten(2), b.flatten(2), s.graph) for a, b in zip(target, found, strict=True)]
        return {"review": factor * torch.stack(terms).sum(0)}


def as_maps(x: Tensor) -> Tensor:
    """[M, N, C, H, W]; a vector is a map of one position."""
    return x if x.dim() == 5 else x[..., None, None]


def has_maps(hidden: Sequence[Hidden]) -> bool:
    """Whether the samples are images."""
    return any(h.pre.dim() == 5 for h in hidden)
