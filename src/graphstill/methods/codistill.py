"""Co-distillation: the mean of the other peers as a soft target. The control that every online method must beat."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import soft_target_kl
from graphstill.method import Method, Needs, Nodes, Reference, Step, View, register
from graphstill.method.checks import one_of, peers, positive


@register("codistill")
@dataclass(frozen=True)
class CoDistillation(Method):
    """Each peer imitates the mean logits of the others.

    Anil et al.: Large scale distributed neural network training through online distillation, ICLR 2018, section 2;
    here with all peers in step, as in OAD's global term.

        L_k = CE(z_k, y) + T² KL(softmax(mean_{j≠k} z_j / T) ‖ softmax(z_k / T))

    Args:
        temperature: T.
        nodes: "train" or "all" nodes of the batch.

    Shapes: logits [M, N, C]; one term `soft` of [M]. The target is detached.

    >>> run = gs.distill(student, task, method=gs.CoDistillation(), peers=4)
    """

    reference = (
        Reference(
            ("Anil", "others"),
            "Large scale distributed neural network training through online distillation",
            "ICLR",
            2018,
            link="https://arxiv.org/abs/1804.03235",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0), "temperature": (0.5, 1.0, 2.0)}
    needs = Needs(peers=True)

    temperature: float = 3.0
    nodes: Nodes = "train"

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        one_of(self, ("all", "train"), nodes=self.nodes)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        others = peers(t).mean_of_others(step.rows(peers(t).logits, self.nodes))
        return {
            "soft": soft_target_kl(others, step.rows(s.logits, self.nodes), self.temperature, step.batch.multi_label)
        }
