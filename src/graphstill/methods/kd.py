"""Knowledge distillation by soft targets."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import soft_target_kl
from graphstill.method import Method, Needs, Nodes, Reference, Step, View, register
from graphstill.method.checks import one_of, positive, share, teacher


@register("kd")
@dataclass(frozen=True)
class KD(Method):
    """Soft targets: the student imitates the teacher's tempered outputs.

    Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015, section 2.

        L = (1 − α) CE(z^s, y) + α T² KL(softmax(z^t / T) ‖ softmax(z^s / T))

    Multi-label tasks use T² times the KL of independent Bernoulli labels.

    Assumes nothing of neighbours, but a teacher better than the student: its errors are learnt too.

    Args:
        temperature: T.
        alpha: α in [0, 1]; 1 trains on the teacher alone. null: the term at its full size beside the full supervised
            loss, CE + T² KL, as the papers on images have it that add terms of their own.
        nodes: "all" nodes of the batch (the natural choice where the whole graph is given, and that of GLNN), or
            "train" nodes only, as most released code does: the largest behavioural switch on such graphs.

    Shapes: logits [M, N, C]; one term `soft` of [M].

    Deviations: reduction is the sum over classes and mean over nodes, as in the paper; efficient-gnns takes the mean
    over classes too, a factor C less. RepDistiller and efficient-gnns distil on training nodes only.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD(temperature=4.0, alpha=0.9))
    """

    reference = (
        Reference(
            ("Hinton", "Vinyals", "Dean"),
            "Distilling the Knowledge in a Neural Network",
            None,
            2015,
            link="https://arxiv.org/abs/1503.02531",
            code="HobbitLong/RepDistiller",
            commit="b84f547",
        ),
    )
    space = {"temperature": (0.5, 1.0, 2.0, 4.0), "alpha": (0.5, 0.9, 1.0)}
    needs = Needs(teacher=True)

    temperature: float = 1.0
    alpha: float | None = 0.9
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        one_of(self, ("all", "train"), nodes=self.nodes)
        if self.alpha is not None:
            share(self, alpha=self.alpha)

    def supervision(self, progress: float) -> float:
        return 1.0 if self.alpha is None else 1.0 - self.alpha

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        target = step.rows(teacher(t).logits, self.nodes)
        student = step.rows(s.logits, self.nodes)
        soft = soft_target_kl(target, student, self.temperature, step.batch.multi_label)
        return {"soft": soft if self.alpha is None else self.alpha * soft}
