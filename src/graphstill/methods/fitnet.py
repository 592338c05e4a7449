"""FitNet: hints from the teacher's hidden layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.losses import hint_distance, unit
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, teacher
from graphstill.method.parts.projection import TwoHeads
from graphstill.method.sampling import PLACES, Place, counts, features, same_places, same_width, shapes
from graphstill.nn.layers import Linear, initialise


@register("fitnet")
@dataclass(frozen=True)
class FitNet(Method):
    """The student's hidden features, through a learnt map, imitate the teacher's.

    Romero et al.: FitNets: Hints for Thin Deep Nets, ICLR 2015, section 2.2.

        L = mean over nodes and channels of (r(h^s) − h^t)²

    Assumes nothing of neighbours; that a student can follow the teacher's features.

    Args:
        project: "student": r is a linear map to the teacher's width; "both": each side has a Linear-BatchNorm-ReLU head
            to `width`, both learnt; "none": r is the identity, widths must agree.
        width: width of the heads of "both".
        normalize: bring each node's features to length 1 first.
        hint_phase: share of the distillation phase that is the paper's first stage: the hint without labels, and
            afterwards labels without the hint. 0 = one stage, the hint beside the labels all the time.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t]; one term `hint` of [M]. Its natural weight is 1 where
    features are of size 1; RepDistiller's weight is 100. Maps [M, N, C, H, W] are compared at every position, the
    larger ones averaged down first: r is then a 1 x 1 convolution, and "node" reads "position of an image".

    Deviations: r is linear, where the paper uses a larger convolution. `released` is efficient-gnns: both sides
    projected to 128 and normalised, features after dropout of training nodes; its scripts multiply by 1000 (100 beside
    KD). Since the teacher's head learns too, two constant heads would be a solution; batch normalisation hides that
    only.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + gs.FitNet())
    """

    reference = (
        Reference(
            ("Romero", "Ballas", "Kahou", "Chassang", "Gatta", "Bengio"),
            "FitNets: Hints for Thin Deep Nets",
            "ICLR",
            2015,
            link="https://arxiv.org/abs/1412.6550",
            code="chaitjo/efficient-gnns",
            commit="f0b079d",
        ),
    )
    space = {"weight": (0.01, 0.1, 1.0, 10.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    project: Literal["student", "both", "none"] = "student"
    width: int = 128
    normalize: bool = False
    hint_phase: float = 0.0
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        one_of(self, ("student", "both", "none"), project=self.project)
        one_of(self, (True, False), normalize=self.normalize)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)
        counts(self, width=self.width)
        not_negative(self, hint_phase=self.hint_phase)

    @classmethod
    def released(cls) -> FitNet:
        return cls(project="both", normalize=True, place="dropped", nodes="train")

    def supervision(self, progress: float) -> float:
        return 0.0 if progress < self.hint_phase else 1.0

    def ramp(self, progress: float) -> float:
        return 1.0 if self.hint_phase == 0 or progress < self.hint_phase else 0.0

    def build(self, spec: Spec) -> Parts:
        student, target = (shape[0] for shape in shapes(spec, self.layer, self.teacher_layer))
        joint: Linear | TwoHeads
        if self.project == "none":
            same_width(self.name, student, target, 'use project="student", or networks of equal width')
            return Parts()
        if self.project == "student":
            joint = Linear(spec.members, student, target)
        else:
            joint = TwoHeads(spec.members, student, target, self.width)
        initialise(joint, spec.seeds)
        return Parts(joint=joint)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student = step.rows(features(s, self.layer, self.place), self.nodes)
        target = step.rows(features(teacher(t), self.teacher_layer, self.place, "teacher"), self.nodes)
        student, target = (by_position(x) for x in same_places(self.name, student, target))
        joint = step.parts.joint
        if isinstance(joint, TwoHeads):
            student, target = joint.student(student), joint.teacher(target)
        elif joint is not None:
            student = joint(student)
        if self.normalize:
            student, target = unit(student), unit(target)
        return {"hint": hint_distance(target, student)}


def by_position(x: Tensor) -> Tensor:
    """Maps [M, N, C, H, W] as a row of channels for each position, [M, N · H · W, C]; vectors as they are."""
    return x if x.dim() == 3 else x.movedim(2, -1).flatten(1, 3)
