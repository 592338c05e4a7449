"""FreeKD: an agent decides node by node which peer teaches the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.losses import local_structure_kl_by_node, reinforce, soft_target_kl_by_node, with_neighbourhood
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, peers, positive, share
from graphstill.method.parts.policy import DirectionPolicy, Sight, labelled, of_members, pairs_of, see, similarity
from graphstill.nn.layers import initialise
from graphstill.ops import Noise

#: Stream of the runs' seeds from which actions are drawn.
ACTIONS = 14


@register("freekd")
@dataclass(frozen=True)
class FreeKD(Method):
    """Of two peers, the one that an agent picks teaches the other at a node, there and perhaps around it.

    Feng, Li, Yuan, Wang: FreeKD: Free-direction Knowledge Distillation for Graph Neural Networks, KDD 2022. At node i
    an agent draws a_i, whether peer 1 teaches peer 2 (else 2 teaches 1), from the outputs and losses of both; then b_i,
    whether the local structure (see LSP) is passed on too. For peer 2, with d_i = a_i (for peer 1: 1 − a_i):

        L_2 = CE(z_2, y) + mean_i d_i T² KL(softmax(z_1 / T) ‖ softmax(z_2 / T))
            + structure_weight · mean_i d_i b_i KL(LS^1_i ‖ LS^2_i)

    The agent's reward is by how much the losses of both peers fall with the next step, at the node and around it:
    r_i = f_i + neighbourhood · mean over neighbours of f_j, f = Σ over peers of (CE before − CE after). It learns from
    (r − running mean of r) · log probability of what it did (REINFORCE), before each step of the peers.

    Assumes that a node and its neighbours are better predicted by the same of two peers.

    Args:
        temperature: T.
        structure_weight: of the local structure; 0 leaves the term out.
        nodes: "train" or "all" nodes of the batch, where the peers teach each other.
        neighbourhood: see above.
        policy_lr: the agent's learning rate; its hidden layers have 64 units.
        momentum: of the running mean of the reward.

    Shapes: logits [M, N, C], last hidden before activation [M, N, D]; terms `nodes` and `structure` of [M]. With K > 2
    peers every pair has its actions, of one agent a run, and a peer's terms are divided by K − 1.

    Deviations: there is no released code; this follows the abstract and its description elsewhere, and what they leave
    open is decided here: f_i is known at training nodes only; other nodes are rewarded by their neighbours that are, or
    not at all: there the agent acts without learning. The reward is a difference between two steps under dropout. The
    local structure is that of LSP with its default kernel. All weights are guesses at their natural scale.

    >>> run = gs.distill(student, task, method=gs.FreeKD(), peers=2)
    """

    reference = (
        Reference(
            ("Feng", "Li", "Yuan", "Wang"),
            "FreeKD: Free-direction Knowledge Distillation for Graph Neural Networks",
            "KDD",
            2022,
            link="https://arxiv.org/abs/2206.06561",
        ),
    )
    space = {"weight": (0.3, 1.0, 3.0)}
    needs = Needs(peers=True, hidden=True, graph=True)
    only_nodes = "its policy chooses, node by node, whose prediction is taken over"

    temperature: float = 1.0
    structure_weight: float = 1.0
    nodes: Nodes = "all"
    neighbourhood: float = 1.0
    policy_lr: float = 0.01
    momentum: float = 0.9

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature, policy_lr=self.policy_lr)
        not_negative(self, structure_weight=self.structure_weight, neighbourhood=self.neighbourhood)
        one_of(self, ("all", "train"), nodes=self.nodes)
        share(self, momentum=self.momentum)

    def build(self, spec: Spec) -> Parts:
        width, seeds = 2 * spec.outputs + 3, list(spec.seeds)[:: spec.peers]
        policy = DirectionPolicy(spec.runs, width)
        initialise(policy, seeds)
        shape, empty = (spec.peers * (spec.peers - 1) // 2, spec.num_items), spec.student.logits.new_zeros
        state = {
            "state": empty(spec.runs, *shape, width),
            "losses": empty(spec.runs, *shape),
            "apart": empty(spec.runs, *shape, 2),
            "actions": empty(spec.runs, 2, *shape),
            "waiting": empty(spec.num_items),  # 1 where an action waits for its reward
            "baseline": empty(spec.runs),
        }
        noise = Noise(seeds, spec.device, ACTIONS)
        return Parts(adversary=policy, adversary_lr=self.policy_lr, state=state, options={"noise": noise})

    def adversary_loss(self, s: View, t: View | None, step: Step) -> Tensor:
        policy, state = step.parts.adversary, step.parts.state
        assert isinstance(policy, DirectionPolicy)
        reward, rows = self._reward(self._see(t, step), s, step)
        nodes = s.nodes[rows]
        then = Sight(*(state[key].index_select(2, nodes) for key in Sight._fields))
        chance = policy.log_probability(then, state["actions"].index_select(3, nodes))
        return reinforce(chance, reward - state["baseline"][:, None, None])

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group = peers(t)
        forth, passed = self._act(self._see(t, step), step).unbind(1)
        counted = torch.ones_like(forth[0, 0]) if self.nodes == "all" else labelled(s, step)

        def taught(to_second: Tensor, to_first: Tensor, weight: Tensor) -> Tensor:
            """KL of the learners at each node, [R, P, N], where and as much as they learn -> [M]."""
            second, first = to_second * forth * weight, to_first * (1 - forth) * weight
            return of_members(group, first.sum(-1), second.sum(-1)) / (group.peers - 1)

        (one, two), (a, b) = pairs_of(group, s.logits), pairs_of(group, group.logits)
        to_second = soft_target_kl_by_node(a, two, self.temperature, step.batch.multi_label)
        to_first = soft_target_kl_by_node(b, one, self.temperature, step.batch.multi_label)
        named = {"nodes": taught(to_second, to_first, counted / counted.sum().clamp(min=1))}
        if self.structure_weight > 0:
            (one, two), (a, b) = pairs_of(group, similarity(s)), pairs_of(group, similarity(group))
            to_second = local_structure_kl_by_node(s.graph, a, two)
            to_first = local_structure_kl_by_node(s.graph, b, one)
            counted = counted * (s.graph.degree() > 0)
            weight = passed * counted / counted.sum().clamp(min=1)
            named["structure"] = self.structure_weight * taught(to_second, to_first, weight)
        return named

    def after_step(self, s: View, t: View | None, step: Step) -> None:
        state, sight = step.parts.state, self._see(t, step)
        reward, rows = self._reward(sight, s, step)
        if len(rows):
            state["baseline"].lerp_(reward.mean((1, 2)), 1 - self.momentum)
        for key, value in zip(Sight._fields, sight, strict=True):
            state[key].index_copy_(2, s.nodes, value)
        state["actions"].index_copy_(3, s.nodes, self._act(sight, step))
        state["waiting"].index_fill_(0, s.nodes, 1.0)

    def _see(self, t: View | None, step: Step) -> Sight:
        """Once a step: the agent's update, the peers' and what is kept of it have the same outputs before them."""
        last = step.parts.options.get("sight")
        if last is None or last[0] is not peers(t).logits:
            last = step.parts.options["sight"] = (peers(t).logits, see(peers(t), step))
        sight: Sight = last[1]
        return sight

    def _act(self, sight: Sight, step: Step) -> Tensor:
        """Whether the first teaches the second, and whether the structure follows: 0 or 1, [R, 2, P, N]."""
        policy, noise = step.parts.adversary, step.parts.options["noise"].at(step.at.number)
        assert isinstance(policy, DirectionPolicy)
        return policy.act(sight, noise.uniform((2, *sight.losses.shape[1:]), sight.losses.dtype))

    def _reward(self, sight: Sight, s: View, step: Step) -> tuple[Tensor, Tensor]:
        """Of the last actions at the rows, int64 [n], that have one: [R, P, n]."""
        state = step.parts.state
        waiting = state["waiting"].index_select(0, s.nodes)
        fall = state["losses"].index_select(2, s.nodes) - sight.losses
        reward, known = with_neighbourhood(s.graph, fall, labelled(s, step) * waiting, self.neighbourhood)
        rows = (known * waiting).nonzero().view(-1)
        return reward.index_select(2, rows), rows
