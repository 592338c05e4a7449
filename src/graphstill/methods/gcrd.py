"""Graph contrastive representation distillation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import info_nce, take, unit
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import one_of, positive, teacher
from graphstill.method.parts.projection import TwoHeads
from graphstill.method.sampling import PLACES, Place, Sampler, counts, hidden, widths
from graphstill.nn.layers import initialise


@register("gcrd")
@dataclass(frozen=True)
class GCRD(Method):
    """Each student node finds its own teacher node among all others.

    Joshi, Liu, Xun, Lin, Foo: On Representation Knowledge Distillation for Graph Neural Networks, TNNLS 2022.

        u = P_s(h^s) / ‖P_s(h^s)‖,  v = P_t(h^t) / ‖P_t(h^t)‖
        L = −mean_i log ( exp(u_i·v_i / τ) / Σ_j exp(u_i·v_j / τ) )

    P_s and P_t are Linear-BatchNorm-ReLU heads, learnt together with the student and dropped afterwards.

    Assumes nothing of neighbours; that what tells nodes apart in the teacher's features is worth having.

    Args:
        temperature: τ.
        width: width of the common space.
        samples: nodes drawn at random in each step, for each run its own; every other one is a negative. null = all, in
            blocks of rows: time grows with the square.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: draw from "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t], of any widths; one term `contrast` of [M]. It is log n
    where all scores are equal; its natural weight is 0.01 to 1.

    Deviations: 1024 nodes where the released code draws up to 16384; all nodes where it takes training nodes.
    `released` is its script for ogbn-arxiv: 16384 training nodes, features after dropout; it multiplies by 0.1 (0.01
    with τ = 0.05 beside KD).

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + 0.1 * gs.GCRD())
    """

    reference = (
        Reference(
            ("Joshi", "Liu", "Xun", "Lin", "Foo"),
            "On Representation Knowledge Distillation for Graph Neural Networks",
            "TNNLS",
            2022,
            link="https://arxiv.org/abs/2111.04964",
            code="chaitjo/efficient-gnns",
            commit="f0b079d",
            journal=True,
        ),
    )
    space = {"weight": (0.01, 0.1, 1.0), "temperature": (0.075, 0.5)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    temperature: float = 0.075
    width: int = 256
    samples: int | None = 1024
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        counts(self, width=self.width, samples=self.samples)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> GCRD:
        return cls(samples=16384, place="dropped", nodes="train")

    def build(self, spec: Spec) -> Parts:
        joint = TwoHeads(spec.members, *widths(spec, self.layer, self.teacher_layer), self.width)
        initialise(joint, spec.seeds)
        return Parts(joint=joint, options={"sampler": Sampler(spec.seeds, self.name)})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student = step.rows(hidden(s, self.layer, self.place), self.nodes)
        target = step.rows(hidden(teacher(t), self.teacher_layer, self.place, "teacher"), self.nodes)
        sampler: Sampler = step.parts.options["sampler"]
        drawn = sampler.draw(step.at.number, student.shape[1], self.samples, student.device)
        heads = step.parts.joint
        assert isinstance(heads, TwoHeads)
        u, v = unit(heads.student(take(student, drawn))), unit(heads.teacher(take(target, drawn)))
        return {"contrast": info_nce(v, u, self.temperature)}
