"""FreeKD: who teaches whom, what the agent is rewarded for, and its gradient against an enumeration."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from graphstill.data import NodeTask
from graphstill.engine import Training, distill
from graphstill.errors import ConfigError
from graphstill.losses import (
    bernoulli_log_probability,
    cross_entropy,
    local_structure_kl,
    local_structure_kl_by_node,
    reinforce,
    soft_target_kl,
    soft_target_kl_by_node,
    supervised_by_node,
    with_neighbourhood,
)
from graphstill.losses.supervised import binary_cross_entropy
from graphstill.method import Peers
from graphstill.method.parts.policy import DirectionPolicy, Sight, see, similarity
from graphstill.methods import DML, FreeKD
from graphstill.nn import GCN, GraphSAGE
from graphstill.nn.layers import initialise
from graphstill.ops import Adjacency
from tests.data import toy
from tests.methods.stage import Stage, set_stage
from tests.tiny import tiny_task

SHORT = Training(epochs=4, warmup=1)


def stage_of(method: FreeKD, seeds: list[int], multi_label: bool = False) -> Stage:
    stage = set_stage(method, tiny_task(multi_label=multi_label), seeds)
    stage.put(parts=stage.active[0].parts)
    return stage


def policy_of(stage: Stage) -> DirectionPolicy:
    policy = stage.active[0].parts.adversary
    assert isinstance(policy, DirectionPolicy)
    return policy


def decide(stage: Stage, forth: float, passed: float) -> None:
    """Make the agent sure: logits of ±50 whatever it sees."""
    for layers, value in ((policy_of(stage).direction, forth), (policy_of(stage).structure, passed)):
        with torch.no_grad():
            layers[1].weight.zero_()  # type: ignore[operator, union-attr]
            layers[1].bias.fill_(value)  # type: ignore[operator, union-attr]


def test_losses_by_node_have_the_usual_means() -> None:
    z, t = torch.randn(2, 9, 3), torch.randn(2, 9, 3)
    y, several = torch.arange(9) % 3, torch.randint(2, (9, 3)).float()
    for multi in (False, True):
        by_node = soft_target_kl_by_node(t, z, 2.0, multi)
        torch.testing.assert_close(by_node.mean(-1), soft_target_kl(t, z, 2.0, multi))
    torch.testing.assert_close(supervised_by_node(z, y, False).mean(-1), cross_entropy(z, y))
    torch.testing.assert_close(supervised_by_node(z, several, True).mean(-1), binary_cross_entropy(z, several))
    y[4], several[4] = -1, torch.nan
    assert (
        supervised_by_node(z, y, False)[:, 4].tolist() == supervised_by_node(z, several, True)[:, 4].tolist() == [0, 0]
    )
    graph = tiny_task().full_batch().graph
    a, b = torch.randn(2, graph.num_edges), torch.randn(2, graph.num_edges)
    degrees = graph.degree() > 0
    by_node = local_structure_kl_by_node(graph, a, b)
    torch.testing.assert_close(by_node.sum(-1) / degrees.sum(), local_structure_kl(graph, a, b))


@pytest.mark.parametrize("nodes", ["all", "train"])
def test_an_agent_of_one_direction_is_one_way_mutual_learning(nodes: str) -> None:
    """Of three peers a pair's first teaches its second: the last learns from both others, the first from none."""
    stage = stage_of(FreeKD(temperature=2.0, nodes=nodes), [0, 1])  # type: ignore[arg-type]
    decide(stage, 50.0, 50.0)
    both = set_stage(DML(temperature=2.0, nodes=nodes), tiny_task(), [0, 1]).total()  # type: ignore[arg-type]
    terms = {key: value.view(2, 3) for key, value in stage.terms().items()}
    torch.testing.assert_close(terms["nodes"][:, 2], both.view(2, 3)[:, 2])
    assert not terms["nodes"][:, 0].any() and not terms["structure"][:, 0].any()
    edges = similarity(stage.peers)
    if nodes == "all":
        expected = (local_structure_kl(stage.s.graph, edges[0:2], edges[2:3].expand(2, -1))).mean()
        torch.testing.assert_close(terms["structure"][0, 2], expected)
    decide(stage, -50.0, 50.0)
    torch.testing.assert_close(stage.terms()["nodes"].view(2, 3)[:, 0], both.view(2, 3)[:, 0])


def test_a_structure_that_is_not_passed_on_teaches_nothing() -> None:
    stage = stage_of(FreeKD(), [0])
    decide(stage, 50.0, -50.0)
    terms = stage.terms()
    assert terms["nodes"].any() and not terms["structure"].any()
    assert list(stage_of(FreeKD(structure_weight=0), [0]).terms()) == ["nodes"]


def test_both_directions_together_are_mutual_learning() -> None:
    """What one decision teaches and what the opposite one does add up to all of it, node by node."""
    stage = stage_of(FreeKD(structure_weight=0), [0])
    total = torch.zeros(3)
    for sure in (50.0, -50.0):
        decide(stage, sure, 0.0)
        total = total + stage.total()
    torch.testing.assert_close(total, set_stage(DML(), tiny_task(), [0]).total())


def test_identical_peers_teach_each_other_nothing() -> None:
    stage = stage_of(FreeKD(), [0])
    first = [h.pre[:1].expand(3, -1, -1) for h in stage.peers.hidden]
    for view in (stage.s, stage.peers):
        view.logits = view.logits[:1].expand(3, -1, -1)
        for h, same in zip(view.hidden, first, strict=True):
            object.__setattr__(h, "pre", same)
    stage.t = stage.peers
    assert all(value.abs().max() < 1e-6 for value in stage.terms().values())


def before(stage: Stage, offset: float) -> None:
    """A step was taken: the losses were higher by `offset` before it."""
    stage.active[0].method.after_step(stage.s, stage.t, stage.step)
    stage.step.parts.state["losses"] += offset
    stage.move(number=stage.step.at.number + 1)


@pytest.mark.parametrize("fall", [0.5, -0.5])
def test_what_led_to_lower_losses_is_done_more_often(fall: float) -> None:
    stage = stage_of(FreeKD(), [0, 1])
    policy, state = policy_of(stage), stage.step.parts.state
    before(stage, fall)
    policy.requires_grad_(True)
    loss = stage.active[0].method.adversary_loss(stage.peers, stage.t, stage.step)
    assert loss.shape == (2,)

    def chance() -> Tensor:
        """Mean log probability of the last actions where there was a reward."""
        rows = torch.tensor(sorted(rewarded()))
        then = Sight(*(state[key].index_select(2, rows) for key in Sight._fields))
        return policy.log_probability(then, state["actions"].index_select(3, rows)).mean((1, 2)).detach()

    was = chance()
    loss.sum().backward()
    with torch.no_grad():
        for p in policy.parameters():
            p -= 0.01 * p.grad  # type: ignore[arg-type]
    assert ((chance() - was) * fall > 0).all()


def rewarded() -> set[int]:
    """Training nodes and their neighbours."""
    batch = tiny_task().full_batch()
    train = batch.train_rows.tolist()
    return set(train) | {i for j, i in batch.graph.edge_index().t().tolist() if j in train}


def test_the_first_step_has_no_reward_and_the_second_where_labels_are_near() -> None:
    stage = stage_of(FreeKD(neighbourhood=0.5), [0, 1])
    method, state = stage.active[0].method, stage.step.parts.state
    assert isinstance(method, FreeKD) and stage.t is not None
    policy_of(stage).requires_grad_(True)
    loss = method.adversary_loss(stage.peers, stage.t, stage.step)
    loss.sum().backward()
    assert loss.tolist() == [0, 0] and all(not p.grad.any() for p in policy_of(stage).parameters())  # type: ignore[union-attr]
    before(stage, 1.0)
    reward, rows = method._reward(see(stage.peers, stage.step), stage.s, stage.step)
    assert set(rows.tolist()) == rewarded() and len(rows) < 120
    train = set(stage.step.batch.train_rows.tolist())
    for i, value in zip(rows.tolist(), reward[0, 0].tolist(), strict=True):
        alone = not any(j in train for j, k in stage.s.graph.edge_index().t().tolist() if k == i)
        assert value == pytest.approx(float(i in train) + (0.0 if alone else 0.5))
    method.after_step(stage.s, stage.t, stage.step)
    torch.testing.assert_close(state["baseline"], 0.1 * reward.mean((1, 2)))


def test_a_node_that_was_not_in_the_last_batch_rewards_nobody() -> None:
    stage = stage_of(FreeKD(), [0])
    method, train = stage.active[0].method, stage.step.batch.train_rows
    assert isinstance(method, FreeKD)
    before(stage, 1.0)
    stage.step.parts.state["waiting"][train[1:]] = 0
    reward, rows = method._reward(see(stage.peers, stage.step), stage.s, stage.step)
    source, target = stage.s.graph.edge_index()
    near = set(target[source == train[0]].tolist()) - set(train[1:].tolist())
    assert set(rows.tolist()) == near | {int(train[0])}
    torch.testing.assert_close(reward, torch.ones_like(reward))


def test_neighbourhood_by_hand() -> None:
    """A path 0 – 1 – 2 – 3 with values at 0 and 2."""
    graph = Adjacency.from_edge_index(toy.undirected([(0, 1), (1, 2), (2, 3)]), 4)
    value, known = torch.tensor([[[2.0, 9.0, 4.0, 9.0]]]), torch.tensor([1.0, 0, 1, 0])
    found, there = with_neighbourhood(graph, value, known, 0.5)
    assert found.flatten().tolist() == [2.0, 1.5, 4.0, 2.0] and there.tolist() == [1, 1, 1, 1]
    assert with_neighbourhood(graph, value, torch.tensor([1.0, 0, 0, 0]), 1.0)[1].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_gradient_in_the_mean_is_that_of_the_expected_reward(baseline: float) -> None:
    """Three nodes, all eight decisions enumerated, a reward for each of them drawn at random."""
    logits = torch.randn(3, dtype=torch.float64, requires_grad=True)
    rewards = torch.randn(2, 2, 2, dtype=torch.float64)
    expected, total = torch.zeros(()), torch.zeros(3, dtype=torch.float64)
    for decision in product((0, 1), repeat=3):
        log_p = bernoulli_log_probability(logits, torch.tensor(decision))
        chance = log_p.sum().exp()
        expected = expected + chance * rewards[decision]
        loss = reinforce(log_p[None], (rewards[decision] - baseline).expand(1, 3))
        total += chance.detach() * torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0]
    torch.testing.assert_close(total, -torch.autograd.grad(expected, logits)[0] / 3)


def test_the_four_decisions_at_a_node_have_probability_one() -> None:
    policy = DirectionPolicy(2, 5)
    initialise(policy, [3, 4])
    sight = Sight(torch.randn(2, 1, 6, 5), torch.randn(2, 1, 6), torch.rand(2, 1, 6, 2))
    total = torch.zeros(2, 1, 6)
    for decision in product((0.0, 1.0), repeat=2):
        actions = torch.tensor(decision).view(1, 2, 1, 1).expand(2, 2, 1, 6)
        total = total + policy.log_probability(sight, actions).exp()
    torch.testing.assert_close(total, torch.ones(2, 1, 6))
    draws = torch.rand(2, 2, 1, 6)
    forth, passed = policy.act(sight, draws).unbind(1)
    assert torch.equal(forth, (draws[:, 0] < policy(sight.state).sigmoid()).float())
    assert torch.equal(passed, (draws[:, 1] < policy.passed_on(sight, forth).sigmoid()).float())


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_agent_sees_training_labels_only(multi_label: bool) -> None:
    stage = stage_of(FreeKD(), [0], multi_label)
    shown = see(stage.peers, stage.step)
    val = tiny_task().full_batch().val_rows
    y = stage.step.batch.y.clone()
    y[val] = 1 - y[val] if multi_label else (y[val] + 1) % 3
    stage.put(batch=replace(stage.step.batch, y=y))
    assert all(torch.equal(a, b) for a, b in zip(shown, see(stage.peers, stage.step), strict=True))
    unknown = torch.ones(120, dtype=torch.bool)
    unknown[stage.step.batch.train_rows] = False
    assert not shown.losses[..., unknown].any() and shown.losses[..., ~unknown].all()
    assert torch.equal(shown.state[..., -1][0, 0], (~unknown).float())


def test_actions_are_a_function_of_seed_and_step() -> None:
    def at(number: int, seeds: list[int]) -> Tensor:
        stage = stage_of(FreeKD(), seeds)
        stage.move(number=number)
        return stage.total().detach()

    torch.testing.assert_close(at(5, [0, 7, 3])[3:6], at(5, [7]))
    assert not torch.allclose(at(5, [7]), at(6, [7]))


def test_learns_on_batches_of_graphs_and_with_peers_that_take_turns() -> None:
    graphs = NodeTask.from_arrays(**toy.several_graphs(), batch_graphs=2)
    model = GCN(hidden=4)
    run = distill(model, graphs, method=FreeKD(), peers=2, training=SHORT)
    turns = distill([model, GraphSAGE(hidden=4)], tiny_task(), method=FreeKD(), seeds=2, training=SHORT)
    alternating = Training(epochs=4, updates="alternating")
    each = distill(model, tiny_task(), method=FreeKD(), peers=3, training=alternating)
    for found in (run, turns, each):
        assert np.isfinite(found.result["validation"]).all()


def test_a_learning_rate_for_each_run_leaves_the_agents_their_own() -> None:
    training = Training(epochs=3, lr=[0.01, 0.02])
    assert distill(GCN(hidden=4), tiny_task(), method=FreeKD(), peers=2, seeds=2, training=training).members == 4


def test_pairs_stay_within_a_run() -> None:
    stage = stage_of(FreeKD(), [0, 1])
    assert isinstance(stage.t, Peers)
    shown = see(stage.t, stage.step)
    probabilities = stage.t.logits.softmax(-1)
    for run in range(2):
        for pair, (first, second) in enumerate(((0, 1), (0, 2), (1, 2))):
            expected = torch.cat([probabilities[3 * run + first], probabilities[3 * run + second]], -1)
            torch.testing.assert_close(shown.state[run, pair, :, :6], expected)


@pytest.mark.parametrize(
    "wrong", [{"temperature": 0}, {"policy_lr": 0}, {"structure_weight": -1}, {"nodes": "test"}, {"momentum": 2}]
)
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FreeKD(**wrong)  # type: ignore[arg-type]
