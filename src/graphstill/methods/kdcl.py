"""Knowledge distillation by collaborative learning: the labels say what the group's target is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.losses import best_peer, min_logit, min_logit_multi_label, soft_target_kl, supervised
from graphstill.method import Method, Needs, Nodes, Reference, Step, View, register
from graphstill.method.checks import one_of, peers, positive


@register("kdcl-naive")
@dataclass(frozen=True)
class KDCLNaive(Method):
    """All peers imitate the one whose cross-entropy is smallest at this step.

    Guo et al.: Online Knowledge Distillation via Collaborative Learning, CVPR 2020, section 3.2 (KDCL-Naive).

        b = argmin_k CE(z_k, y),   L_k = CE(z_k, y) + T² KL(softmax(z_b / T) ‖ softmax(z_k / T))

    Args:
        temperature: T.
        nodes: "train" or "all" nodes of the batch for the imitation; the best peer is always chosen on training nodes.

    Shapes: logits [M, N, C]; one term `soft` of [M], 0 for the best peer. The target is detached.

    Deviations: one best peer a batch, as in the baseline released with OAD, not one a sample. That baseline distils on
    training nodes only (nodes="train").

    >>> run = gs.distill(student, task, method=gs.KDCLNaive(), peers=3)
    """

    reference = (
        Reference(
            ("Guo", "others"),
            "Online Knowledge Distillation via Collaborative Learning",
            "CVPR",
            2020,
            code="wangz3066/OnlineDistillGCN",
            commit="3e49c58",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0, 10.0)}
    needs = Needs(peers=True)

    temperature: float = 3.0
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        one_of(self, ("all", "train"), nodes=self.nodes)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group = peers(t)
        y = step.batch.y.index_select(0, step.batch.train_rows)
        losses = supervised(step.rows(group.logits, "train"), y, step.batch.multi_label)
        grouped = group.split(step.rows(group.logits, self.nodes))
        target = best_peer(grouped, group.split(losses)).flatten(0, 1)
        return {
            "soft": soft_target_kl(target, step.rows(s.logits, self.nodes), self.temperature, step.batch.multi_label)
        }


@register("kdcl-minlogit")
@dataclass(frozen=True)
class KDCLMinLogit(Method):
    """All peers imitate the group's smallest margins, a target that is never worse than any of them.

    Guo et al.: Online Knowledge Distillation via Collaborative Learning, CVPR 2020, section 3.2 (KDCL-MinLogit).

        z^c_k[n, ·] = z_k[n, ·] − z_k[n, y_n],   z* = min_k z^c_k (for each node and class)
        L_k = CE(z_k, y) + T² KL(softmax(z* / T) ‖ softmax(z_k / T))

    The target needs the label, so it exists on training nodes only.

    Args:
        temperature: T.

    Shapes: logits [M, N, C]; one term `soft` of [M]. The target is detached.

    Deviations: multi-label tasks, which the paper has not: each label is a problem of two classes, which makes the
    target the largest logit of the peers where the label is 1 and the smallest where it is 0.

    >>> run = gs.distill(student, task, method=gs.KDCLMinLogit(), peers=3)
    """

    reference = KDCLNaive.reference
    space = {"weight": (0.1, 0.3, 1.0, 3.0)}
    needs = Needs(peers=True)

    temperature: float = 3.0

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group = peers(t)
        y = step.batch.y.index_select(0, step.batch.train_rows)
        grouped = group.split(step.rows(group.logits, "train"))
        target = (min_logit_multi_label if step.batch.multi_label else min_logit)(grouped, y).flatten(0, 1)
        return {"soft": soft_target_kl(target, step.rows(s.logits, "train"), self.temperature, step.batch.multi_label)}
