"""Global structure preserving: similarities between all pairs of nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.losses import PairScale, for_kernel, gram_distance, pair_distance, take
from graphstill.method import Method, Needs, Nodes, Parts, Spec, Step, View, register
from graphstill.method.checks import one_of, positive, teacher
from graphstill.method.parts.projection import TwoHeads
from graphstill.method.sampling import PLACES, Place, Sampler, counts, hidden, widths
from graphstill.methods.gcrd import GCRD
from graphstill.nn.layers import initialise


@register("gsp")
@dataclass(frozen=True)
class GSP(Method):
    """Any two nodes, neighbours or not, are as similar as they are in the teacher.

    Joshi, Liu, Xun, Lin, Foo: On Representation Knowledge Distillation for Graph Neural Networks, TNNLS 2022.

        L = mean over all pairs of nodes i, j of (K(h_i^t, h_j^t) − K(h_i^s, h_j^s))²

    Assumes nothing of neighbours; that all similarities in the teacher's features are worth having.

    Args:
        kernel: K: "cosine", "poly" (cosine²), "l2" (distance / σ) or "rbf" (exp(−distance² / 2σ²)).
        scale: σ, or "data": the root of the mean squared distance of each network; no part in the first two kernels.
        samples: nodes drawn at random in each step, for each run its own, for kernels other than the cosine, which is
            exact on all nodes without an array over pairs. null = all nodes, in blocks of rows.
        project: width of a Linear-BatchNorm-ReLU head on either side, both learnt; null = the features themselves.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t], of any widths; one term `similarity` of [M].
    Similarities are of size 1, so its natural weight is 1 to 100.

    Deviations: distances come from inner products, where the released code makes an array of nodes · nodes · width; a
    fixed σ of 1 lets the kernels of wide features underflow to 0, hence the scale from the data. `released` is the
    script for ogbn-arxiv: cosine, both sides projected to 128, training nodes, features after dropout; it multiplies by
    100 (10 beside KD), by 1e5 for "rbf" and by 1 for "l2".

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + 10 * gs.GSP(kernel="cosine"))
    """

    reference = GCRD.reference
    space = {"weight": (3.0, 10.0, 30.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    kernel: Literal["cosine", "poly", "l2", "rbf"] = "cosine"
    scale: PairScale = "data"
    samples: int | None = 1024
    project: int | None = None
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        one_of(self, ("cosine", "poly", "l2", "rbf"), kernel=self.kernel)
        if self.scale != "data":
            positive(self, scale=self.scale)
        counts(self, samples=self.samples, project=self.project)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> GSP:
        return cls(scale=1.0, project=128, place="dropped", nodes="train")

    def build(self, spec: Spec) -> Parts:
        joint = None
        if self.project is not None:
            joint = TwoHeads(spec.members, *widths(spec, self.layer, self.teacher_layer), self.project)
            initialise(joint, spec.seeds)
        return Parts(joint=joint, options={"sampler": Sampler(spec.seeds, self.name)})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student = step.rows(hidden(s, self.layer, self.place), self.nodes)
        target = step.rows(hidden(teacher(t), self.teacher_layer, self.place, "teacher"), self.nodes)
        if self.kernel != "cosine":
            sampler: Sampler = step.parts.options["sampler"]
            drawn = sampler.draw(step.at.number, student.shape[1], self.samples, student.device)
            student, target = take(student, drawn), take(target, drawn)
        if isinstance(step.parts.joint, TwoHeads):
            student, target = step.parts.joint.student(student), step.parts.joint.teacher(target)
        student, target = (for_kernel(self.kernel, x, self.scale) for x in (student, target))
        pairs = student.shape[1] ** 2
        if self.kernel == "cosine":
            return {"similarity": gram_distance(target, student) / pairs}
        return {"similarity": pair_distance(self.kernel, target, student) / pairs}
