"""OKDDip: every auxiliary peer gets a target of its own by attention, and a leader learns from them all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphstill.errors import MethodError
from graphstill.losses import soft_target_kl
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import one_of, peers, positive, share
from graphstill.method.schedules import ramp_up
from graphstill.nn.init import fan_in_
from graphstill.nn.layers import MemberModule, initialise


class QueryKey(MemberModule):
    """The two projections of an attention over peers, without bias, [M, inputs, width] each."""

    def __init__(self, members: int, inputs: int, width: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.empty(members, inputs, width))
        self.key = nn.Parameter(torch.empty(members, inputs, width))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        for weight in (self.query[i], self.key[i]):
            fan_in_(weight, weight.shape[0], generator)


@register("okddip")
@dataclass(frozen=True)
class OKDDip(Method):
    """Auxiliary peers imitate mixtures of each other, weighted by attention; the leader imitates their mean.

    Chen, Mei, Wang, Feng, Chen: Online Knowledge Distillation with Diverse Peers, AAAI 2020, section 3. With K peers,
    f_k the last hidden features, a and b over the K − 1 auxiliary peers (the last peer is the leader), at each node:

        A_ab = softmax_b((W_Q f_a) · (W_K f_b)),   t_a = Σ_b A_ab z_b
        L_a = CE(z_a, y) + w · T² KL(softmax(t_a / T) ‖ softmax(z_a / T))
        L_leader = CE(z_K, y) + w · T² KL(softmax(mean_a z_a / T) ‖ softmax(z_K / T))

    W_Q and W_K are shared by a run's peers. Targets are not detached: that is what trains the two projections, and it
    moves the auxiliary peers too. The leader, peer K − 1, is the one to deploy.

    Args:
        temperature: T.
        nodes: "train" or "all" nodes of the batch.
        reduction: the projections' width is that of the features divided by this, at least 1.
        rampup: share of the distillation phase in which w rises as exp(−5 (1 − t)²); 0 = w is 1 throughout.

    Shapes: logits [M, N, C], last hidden features after activation [M, N, D] of equal width; terms `peers` and
    `leader` of [M], 0 for the leader and for the others. At least three peers.

    Deviations: `rampup` is a share of the training, 80 of 300 epochs in the released code. That code adds 1e-7 to the
    target's probabilities: not reproduced. Where peers take turns, the targets of frozen peers are constants.

    >>> run = gs.distill(student, task, method=gs.OKDDip(), peers=3)
    """

    reference = (
        Reference(
            ("Chen", "Mei", "Wang", "Feng", "Chen"),
            "Online Knowledge Distillation with Diverse Peers",
            "AAAI",
            2020,
            link="https://arxiv.org/abs/1912.00350",
            code="DefangChen/OKDDip-AAAI2020",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0)}
    needs = Needs(peers=True, hidden=True)

    temperature: float = 3.0
    nodes: Nodes = "all"
    reduction: int = 8
    rampup: float = 80 / 300

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature, reduction=self.reduction)
        share(self, rampup=self.rampup)
        one_of(self, ("all", "train"), nodes=self.nodes)

    def ramp(self, progress: float) -> float:
        return ramp_up(progress, self.rampup)

    def build(self, spec: Spec) -> Parts:
        if spec.peers < 3:
            raise MethodError(
                f"okddip needs a leader and at least two auxiliary peers, but peers is {spec.peers}: give 3 or more"
            )
        width = spec.widths[-1]
        joint = QueryKey(spec.members, width, max(1, width // self.reduction))
        initialise(joint, spec.seeds)
        return Parts(joint=joint)

    def attention(self, s: View, step: Step) -> Tensor:
        """A, [runs, n, K − 1, K − 1], rows sum to 1."""
        group, joint = peers(step.group), step.parts.joint
        assert isinstance(joint, QueryKey)
        features = group.split(step.rows(s.layer(-1).post, self.nodes))[:, :-1]
        # Each member holds projections, as all modules do; the first peer's serve its run, the others' stay unused.
        query = torch.einsum("rknd,rdw->rnkw", features, group.split(joint.query)[:, 0])
        key = torch.einsum("rknd,rdw->rnkw", features, group.split(joint.key)[:, 0])
        return (query @ key.transpose(-1, -2)).softmax(-1)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group, logits = peers(t), step.rows(s.logits, self.nodes)
        auxiliary = group.split(logits)[:, :-1]
        mixed = torch.einsum("rnab,rbnc->ranc", self.attention(s, step), auxiliary)
        target = torch.cat([mixed, auxiliary.mean(1, keepdim=True)], 1).flatten(0, 1)
        kl = soft_target_kl(target, logits, self.temperature, step.batch.multi_label)
        leads = torch.arange(len(kl), device=kl.device) % group.peers == group.peers - 1
        return {"peers": kl.where(~leads, 0.0), "leader": kl.where(leads, 0.0)}
