"""FF-G2M: full-frequency distillation of a graph network into an MLP."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import edge_contrast_kl, neighbour_kl
from graphstill.method import Method, Needs, Reference, Step, View, register
from graphstill.method.checks import not_negative, positive, share, teacher


@register("ff-g2m")
@dataclass(frozen=True)
class FFG2M(Method):
    """A student learns what its neighbours have in common (low frequency) and what sets it apart (high frequency).

    Wu, Lin, Huang, Fan, Li: Extracting Low-/High-Frequency Knowledge from Graph Neural Networks and Injecting it into
    MLPs, AAAI 2023.

        low:  mean over edges j→i and self-loops of KL(softmax(z^t_j) ‖ softmax(z^s_i))
        high: mean over edges j→i of KL(softmax(|z^t_i − z^t_j| / τ) ‖ softmax(|z^s_i − z^s_j| / τ)), over channels
        L = λ CE(z^s, y) + (1 − λ) (low_weight · low + high_weight · high)

    On a graph without edges `low` is GLNN's term.

    Assumes that neighbours are of one class: every node learns the teacher's outputs at its neighbours, which are
    answers to another question where classes differ along edges. The more so for a student that does not see the graph.

    Args:
        labels: λ in [0, 1].
        temperature: τ, of the high-frequency term alone.
        low_weight, high_weight: 1 in the paper.

    Shapes: logits [M, N, C]; terms `low` and `high` of [M]. No array is larger than [M, E, C].

    Deviations: none known of the loss; as released, no temperature². The released code's λ and τ for each data set were
    tuned on test accuracy: the defaults here are not from that table. Multi-label tasks use Bernoulli labels in the
    low-frequency term.

    >>> run = gs.distill(gs.models.MLP(hidden=16), task, teacher=teacher, method=gs.FFG2M())
    """

    reference = (
        Reference(
            ("Wu", "Lin", "Huang", "Fan", "Li"),
            "Extracting Low-/High-Frequency Knowledge from Graph Neural Networks and Injecting it into MLPs",
            "AAAI",
            2023,
            link="https://arxiv.org/abs/2305.10758",
            code="LirongWu/FF-G2M",
            commit="2e07b1e",
        ),
    )
    space = {"temperature": (1.0, 1.5)}
    needs = Needs(teacher=True, graph=True)
    only_nodes = "it compares the predictions of neighbouring nodes"

    labels: float = 0.0
    temperature: float = 1.0
    low_weight: float = 1.0
    high_weight: float = 1.0

    def __post_init__(self) -> None:
        share(self, labels=self.labels)
        positive(self, temperature=self.temperature)
        not_negative(self, low_weight=self.low_weight, high_weight=self.high_weight)

    def supervision(self, progress: float) -> float:
        return self.labels

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        target, soft = teacher(t).logits, 1.0 - self.labels
        named: dict[str, Tensor] = {}
        if self.low_weight > 0:
            low = neighbour_kl(s.graph.with_self_loops(), target, s.logits, multi_label=step.batch.multi_label)
            named["low"] = soft * self.low_weight * low
        if self.high_weight > 0:
            high = edge_contrast_kl(s.graph, target, s.logits, self.temperature)
            named["high"] = soft * self.high_weight * high
        return named
