"""Online adversarial distillation: a group without a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.losses import judged_fake, judged_real, soft_target_kl
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, peers, positive
from graphstill.method.parts.critic import GraphCritic
from graphstill.nn.layers import initialise

#: Where the released code takes the last hidden feature, by architecture.
TAPS = {"gcn": "pre", "gat": "post", "sage": "dropped"}


@register("oad")
@dataclass(frozen=True)
class OAD(Method):
    """Peers share global knowledge by soft targets and local knowledge through a ring of discriminators.

    Wang et al.: Online Adversarial Distillation for Graph Neural Networks, Expert Systems with Applications 237, 2024
    (arXiv 2112.13966). With K peers of logits z_k and last hidden features h_k:

        global: L_k = T² KL(softmax(mean_{j≠k} z_j / T) ‖ softmax(z_k / T))
        local:  discriminator D_i is shown h_i as real and h_{i−1} as fake; peer i−1 minimises −log σ(D_i(h_{i−1}))
        L = Σ_k CE(z_k, y) + global_weight · L_k + local_weight · G_k

    so that peer i−1 chases peer i around the ring. D_i is one graph convolution to a score (GCN), or two (GAT, SAGE),
    trained by an Adam of its own one step before the peers.

    Assumes little of neighbours: a discriminator sees features averaged over them, which says less where they differ.

    Args:
        temperature: T. The default sharpens the peers' mean; it and the weights were chosen on validation (Cora and
            CiteSeer).
        global_weight, local_weight: factors of the two terms.
        nodes: "train" or "all" nodes of the batch, for the global term; the local term is on all nodes.
        schedule: "constant", or "crossfade": supervision falls linearly from 1 to 0 through the distillation phase
            while both terms rise from 0 to 1 (the released script for PPI).
        reduction: "nodes": the library's convention; "released": divided by nodes · classes once more.
        head: "linear", or "relu": a ReLU on the discriminator's score, as released.
        critic_hidden: width of the discriminator's hidden layer; 0 = none; null = 0 for GCN, 16 otherwise.
        critic_lr: the discriminators' learning rate; null = the students'.
        feature: "pre", "post" or "dropped" (after dropout); null = as released: GCN pre, GAT post, SAGE dropped, others
            post.

    Shapes: logits [M, N, C], last hidden [M, N, D] of equal width; terms `global` and `local` of [M].

    Deviations: the released code divides the KL by nodes · classes once too often, which switches it off (1/980 on
    Cora), and puts a ReLU on the discriminators' scores, which zeroes the adversarial gradient wherever the score is
    negative; `released` reproduces both. Its d_trade multiplies a loss with an Adam of its own, without effect: not
    an option here. The fake features are detached in the discriminators' step; gradients of the peers are the same.

    >>> run = gs.distill(student, task, method=gs.OAD(), peers=3)
    """

    reference = (
        Reference(
            ("Wang", "others"),
            "Online Adversarial Distillation for Graph Neural Networks",
            "Expert Systems with Applications 237",
            2024,
            link="https://arxiv.org/abs/2112.13966",
            code="wangz3066/OnlineDistillGCN",
            commit="3e49c58",
            journal=True,
        ),
    )
    space = {"temperature": (0.3, 0.5, 1.0), "global_weight": (1.0, 3.0), "local_weight": (0.01, 0.03, 0.1)}
    needs = Needs(peers=True, hidden=True, graph=True)

    temperature: float = 0.5
    global_weight: float = 1.0
    local_weight: float = 0.01
    nodes: Nodes = "all"
    schedule: Literal["constant", "crossfade"] = "constant"
    reduction: Literal["nodes", "released"] = "nodes"
    head: Literal["linear", "relu"] = "linear"
    critic_hidden: int | None = None
    critic_lr: float | None = None
    feature: Literal["pre", "post", "dropped"] | None = None

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        not_negative(self, global_weight=self.global_weight, local_weight=self.local_weight)
        one_of(self, ("all", "train"), nodes=self.nodes)
        one_of(self, ("constant", "crossfade"), schedule=self.schedule)
        one_of(self, ("nodes", "released"), reduction=self.reduction)
        one_of(self, ("linear", "relu"), head=self.head)
        one_of(self, ("pre", "post", "dropped", None), feature=self.feature)
        if self.critic_hidden is not None:
            not_negative(self, critic_hidden=self.critic_hidden)
        if self.critic_lr is not None:
            positive(self, critic_lr=self.critic_lr)

    @classmethod
    def released(cls) -> OAD:
        return cls(temperature=3.0, local_weight=1.0, nodes="train", reduction="released", head="relu")

    def supervision(self, progress: float) -> float:
        return 1.0 - progress if self.schedule == "crossfade" else 1.0

    def ramp(self, progress: float) -> float:
        return progress if self.schedule == "crossfade" else 1.0

    def build(self, spec: Spec) -> Parts:
        if self.local_weight == 0:
            return Parts()
        hidden = (0 if spec.architecture == "gcn" else 16) if self.critic_hidden is None else self.critic_hidden
        critic = GraphCritic(spec.members, spec.widths[-1], hidden or None, self.head == "relu")
        initialise(critic, spec.seeds)
        tap = self.feature or TAPS.get(spec.architecture, "post")
        return Parts(adversary=critic, adversary_lr=self.critic_lr, options={"tap": tap})

    def _last_hidden(self, s: View, step: Step) -> Tensor:
        tensor: Tensor = getattr(s.layer(-1), step.parts.options["tap"])
        return tensor

    def adversary_loss(self, s: View, t: View | None, step: Step) -> Tensor:
        critic, h = step.parts.adversary, self._last_hidden(s, step)
        assert critic is not None
        return judged_real(critic(h, s.graph)) + judged_fake(critic(peers(t).ring(h), s.graph))

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group = peers(t)
        named: dict[str, Tensor] = {}
        if self.global_weight > 0:
            student = step.rows(s.logits, self.nodes)
            target = group.mean_of_others(step.rows(group.logits, self.nodes))
            kl = soft_target_kl(target, student, self.temperature, step.batch.multi_label)
            if self.reduction == "released":
                kl = kl / (student.shape[1] * student.shape[2])
            named["global"] = self.global_weight * kl
        critic = step.parts.adversary
        if critic is not None:
            fake = group.ring(self._last_hidden(s, step))
            # Entry i is D_i on the features of peer i − 1: the loss of peer i − 1.
            named["local"] = self.local_weight * group.ring(judged_real(critic(fake, s.graph)), -1)
        return named
