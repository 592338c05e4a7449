"""ONE: a gated ensemble of the peers, trained with them, is their teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphstill.losses import soft_target_kl, supervised
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, peers, positive, share
from graphstill.method.schedules import ramp_up
from graphstill.nn.init import fan_in_, fill_
from graphstill.nn.layers import MemberModule, initialise


class Gate(MemberModule):
    """ReLU(BN(W f + b)): a score for each peer at each node.

    Each member holds a gate, as all modules do; that of a run's first peer serves the run, the others stay unused.
    """

    def __init__(self, members: int, inputs: int, peers: int) -> None:
        super().__init__()
        self.peers = peers
        self.weight = nn.Parameter(torch.empty(members, inputs, peers))
        # A bias before batch normalisation has no effect: only the scale and the shift behind it are kept.
        self.scale = nn.Parameter(torch.empty(members, peers))
        self.shift = nn.Parameter(torch.empty(members, peers))

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fan_in_(self.weight[i], self.weight.shape[1], generator)
        fill_(self.scale[i], 1.0)
        fill_(self.shift[i], 0.0)

    def forward(self, features: Tensor) -> Tensor:
        """[runs, N, inputs] -> [runs, N, peers]."""
        weight, scale, shift = (p[:: self.peers] for p in (self.weight, self.scale, self.shift))
        score = torch.bmm(features, weight)
        score = score - score.mean(1, keepdim=True)
        score = score * (score.square().mean(1, keepdim=True) + 1e-5).rsqrt()
        return (score * scale.unsqueeze(1) + shift.unsqueeze(1)).relu()


@register("one")
@dataclass(frozen=True)
class ONE(Method):
    """Peers imitate their own ensemble, whose weights at each node come from a gate that is trained with the labels.

    Zhu, Gong, Zhu: Knowledge Distillation by On-the-Fly Native Ensemble, NeurIPS 2018 (arXiv 1806.04606). With K peers:

        g = softmax(ReLU(BN(W f))),   z_t = Σ_k g_k z_k
        L = Σ_k CE(z_k, y) + CE(z_t, y) + imitation · w · Σ_k T² KL(softmax(z_t / T) ‖ softmax(z_k / T))

    Args:
        temperature: T.
        imitation: weight of that term.
        nodes: "train" or "all" nodes of the batch for the imitation; the ensemble's own loss is on training nodes.
        rampup: share of the distillation phase in which w rises as exp(−5 (1 − t)²); 0 = w is 1 throughout.

    Shapes: logits [M, N, C], last hidden features after activation [M, N, D] of equal width; terms `ensemble` (each
    peer carries 1/K of its run's CE(z_t)) and `soft` of [M].

    Deviations: in the paper the peers are branches on a shared trunk, which feeds the gate. Members of a cohort are
    separate networks: the gate sees the mean of their last hidden features, detached, so that it is trained without
    moving the peers by what it looks at. Batch normalisation is over the nodes of the batch; the gate serves training
    alone, so it keeps no running statistics. The target of the imitation is detached; CE(z_t) is not, and moves the
    peers and the gate. Where peers take turns, frozen peers get no gradient from CE(z_t). `rampup` is a share of the
    training, 80 of 300 epochs in the released code of OKDDip, which has ONE as a baseline.

    >>> run = gs.distill(student, task, method=gs.ONE(), peers=3)
    """

    reference = (
        Reference(
            ("Zhu", "Gong", "Zhu"),
            "Knowledge Distillation by On-the-Fly Native Ensemble",
            "NeurIPS",
            2018,
            link="https://arxiv.org/abs/1806.04606",
            code="DefangChen/OKDDip-AAAI2020",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0)}
    needs = Needs(peers=True, hidden=True)

    temperature: float = 3.0
    imitation: float = 1.0
    nodes: Nodes = "all"
    rampup: float = 80 / 300

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        not_negative(self, imitation=self.imitation)
        share(self, rampup=self.rampup)
        one_of(self, ("all", "train"), nodes=self.nodes)

    def build(self, spec: Spec) -> Parts:
        joint = Gate(spec.members, spec.widths[-1], spec.peers)
        initialise(joint, spec.seeds)
        return Parts(joint=joint)

    def gate(self, s: View, step: Step) -> Tensor:
        """g, [runs, K, N], sums to 1 over the peers."""
        group, joint = peers(step.group), step.parts.joint
        assert isinstance(joint, Gate)
        features = group.split(step.rows(s.layer(-1).post.detach(), "all")).mean(1)
        weights: Tensor = joint(features).softmax(-1)
        return weights.transpose(-1, -2)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group = peers(t)
        ensemble = torch.einsum("rkn,rknc->rnc", self.gate(s, step), group.split(s.logits))
        y = step.batch.y.index_select(0, step.batch.train_rows)
        own = supervised(step.rows(ensemble, "train"), y, step.batch.multi_label) / group.peers
        target = step.rows(ensemble.detach(), self.nodes).repeat_interleave(group.peers, 0)
        soft = soft_target_kl(target, step.rows(s.logits, self.nodes), self.temperature, step.batch.multi_label)
        factor = self.imitation * ramp_up(step.at.progress, self.rampup)
        return {"ensemble": own.repeat_interleave(group.peers), "soft": factor * soft}
