"""Deep mutual learning: every peer imitates every other one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import soft_target_kl
from graphstill.method import Method, Needs, Nodes, Reference, Step, View, register
from graphstill.method.checks import one_of, peers, positive


@register("dml")
@dataclass(frozen=True)
class DML(Method):
    """Each peer imitates the outputs of each other peer, one pair at a time.

    Zhang, Xiang, Hospedales, Lu: Deep Mutual Learning, CVPR 2018, section 3. With K peers of logits z_k:

        L_k = CE(z_k, y) + 1/(K−1) Σ_{j≠k} T² KL(softmax(z_j / T) ‖ softmax(z_k / T))

    The mean is over losses, not over logits: peers that disagree pull apart here, where in co-distillation their mean
    may already be met.

    Args:
        temperature: T; the paper has none, that is 1.
        nodes: "train" or "all" nodes of the batch.
        detach: whether the target of a pair is a constant, as in the paper. Where it is not, a pair moves both of its
            peers; this takes effect where peers are updated together, since peers that take turns are frozen.

    Shapes: logits [M, N, C]; one term `mutual` of [M].

    Deviations: the paper's peers take turns, each seeing the others' newest weights: set the training's `updates` to
    "alternating" for that. `released` is DML as the released code of OAD and OKDDip has it beside their own methods: T
    = 3, training nodes, targets not detached. (That code adds 1e-7 to the target's probabilities: not reproduced.)

    >>> run = gs.distill(student, task, method=gs.DML(), peers=3)
    """

    reference = (
        Reference(
            ("Zhang", "Xiang", "Hospedales", "Lu"),
            "Deep Mutual Learning",
            "CVPR",
            2018,
            link="https://arxiv.org/abs/1706.00384",
            code="wangz3066/OnlineDistillGCN",
            commit="3e49c58",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0, 10.0)}
    needs = Needs(peers=True)

    temperature: float = 1.0
    nodes: Nodes = "all"
    detach: bool = True

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        one_of(self, ("all", "train"), nodes=self.nodes)
        one_of(self, (True, False), detach=self.detach)

    @classmethod
    def released(cls) -> DML:
        return cls(temperature=3.0, nodes="train", detach=False)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group = peers(t)
        student = step.rows(s.logits, self.nodes)
        target = step.rows(group.logits, self.nodes) if self.detach else student
        pairs = group.mean_over_others(
            lambda other: soft_target_kl(other(target), student, self.temperature, step.batch.multi_label)
        )
        return {"mutual": pairs}
