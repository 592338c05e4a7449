"""OAD: its unit tests of the specification: ring, detachment, heads, scales, controls."""

from __future__ import annotations

import math

import pytest
import torch

from graphstill.engine import Training, distill
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import judged_fake, judged_real, softmax_kl
from graphstill.method import Peers
from graphstill.method.parts.critic import GraphCritic
from graphstill.methods import OAD, CoDistillation
from graphstill.nn import GAT, GCN, GraphSAGE, Hidden
from graphstill.nn.layers import initialise
from graphstill.ops import Adjacency
from tests.methods.stage import set_stage
from tests.tiny import tiny_task


def peers_view(logits: torch.Tensor, runs: int, peers: int) -> Peers:
    graph = Adjacency.from_edge_index(torch.zeros(2, 1, dtype=torch.int64), logits.shape[1])
    return Peers(logits, [], graph, torch.arange(logits.shape[1]), runs, peers)


def test_mean_of_others_and_ring_stay_within_a_run() -> None:
    x = torch.tensor([1.0, 2, 3, 10, 20, 30]).view(6, 1, 1)
    view = peers_view(x, 2, 3)
    assert view.mean_of_others(x).flatten().tolist() == [2.5, 2.0, 1.5, 25.0, 20.0, 15.0]
    assert view.ring(x).flatten().tolist() == [3, 1, 2, 30, 10, 20], "row i holds peer i − 1"
    assert view.mean_over_others(lambda other: other(x)).flatten().tolist() == [2.5, 2.0, 1.5, 25.0, 20.0, 15.0]


def test_mean_of_peers_differs_from_mean_of_losses() -> None:
    """K = 3, T = 1: the peers' mean equals student 1's logits, though each single peer is 0.3278 away."""
    logits = torch.tensor([[[0.0, 0]], [[2, 0]], [[0, 2]]], dtype=torch.float64)
    view = peers_view(logits, 1, 3)
    assert softmax_kl(view.mean_of_others(logits), logits, 1.0)[0].item() == pytest.approx(0, abs=1e-12)
    pairs = view.mean_over_others(lambda other: softmax_kl(other(logits), logits, 1.0))
    assert pairs[0].item() == pytest.approx(0.3278, abs=1e-4)


def test_generator_gradient_reaches_the_chaser_only() -> None:
    """Term i of the local loss, D_{i+1} on peer i's features, moves peer i and nobody else."""
    stage = set_stage(OAD(global_weight=0.0, local_weight=1.0), tiny_task(), [0])
    leaves = [torch.nn.Parameter(h.pre.detach()) for h in stage.s.hidden]
    stage.s.hidden = [Hidden(x, x, x) for x in leaves]
    for member in range(3):
        leaves[-1].grad = None
        stage.terms()["local"][member].backward()
        moved = leaves[-1].grad.abs().sum((1, 2)) > 0  # type: ignore[union-attr]
        assert moved.tolist() == [i == member for i in range(3)]


def test_discriminator_step_leaves_the_students_alone() -> None:
    stage = set_stage(OAD(), tiny_task(), [0])
    term = stage.active[0]
    stage.put(parts=term.parts)
    assert term.parts.adversary is not None
    term.parts.adversary.requires_grad_(True)
    term.method.adversary_loss(stage.peers, stage.t, stage.step).sum().backward()
    assert all(p.grad is not None for p in term.parts.adversary.parameters())
    assert all(p.grad is None for b in stage.group.blocks for p in b.cohort.parameters())


def test_stacked_critics_equal_single_ones() -> None:
    graph = Adjacency.from_edge_index(torch.randint(9, (2, 30), generator=torch.Generator().manual_seed(0)), 9)
    h = torch.randn(3, 9, 4)
    together = GraphCritic(3, 4, 5, relu_head=False)
    initialise(together, [4, 5, 6])
    for i, seed in enumerate([4, 5, 6]):
        alone = GraphCritic(1, 4, 5, relu_head=False)
        initialise(alone, [seed])
        torch.testing.assert_close(alone(h[i : i + 1], graph)[0], together(h, graph)[i])


def test_relu_head_cannot_call_anything_fake() -> None:
    graph = Adjacency.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 0]]), 3)
    h = torch.randn(2, 3, 4, requires_grad=True)
    critic = GraphCritic(2, 4, None, relu_head=True)
    initialise(critic, [0, 1])
    with torch.no_grad():
        critic.first.bias -= 100
    scores = critic(h, graph)
    assert (judged_fake(scores) >= math.log(2) - 1e-6).all()
    judged_real(scores).sum().backward()
    assert h.grad is not None and h.grad.abs().max() == 0, "no gradient where the score is below zero"
    assert judged_real(torch.zeros(1, 3)).item() == pytest.approx(math.log(2))
    assert (judged_real(torch.zeros(1, 3)) + judged_fake(torch.zeros(1, 3))).item() == pytest.approx(2 * math.log(2))


def test_released_scale_is_nodes_times_classes_less() -> None:
    ours = set_stage(OAD(nodes="train", local_weight=0.0), tiny_task(), [0]).terms()["global"]
    theirs = set_stage(OAD(nodes="train", local_weight=0.0, reduction="released"), tiny_task(), [0]).terms()["global"]
    torch.testing.assert_close(theirs * 30 * 3, ours)


def test_global_term_is_codistillation() -> None:
    oad = set_stage(OAD(temperature=2.0, nodes="train", local_weight=0.0), tiny_task(), [0, 1]).total()
    control = set_stage(CoDistillation(temperature=2.0, nodes="train"), tiny_task(), [0, 1]).total()
    torch.testing.assert_close(oad, control)


def test_crossfade_ends() -> None:
    method = OAD(schedule="crossfade")
    assert (method.supervision(0.0), method.ramp(0.0)) == (1.0, 0.0)
    assert method.supervision(0.99) == pytest.approx(0.01) and method.ramp(0.99) == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("model", "layers"), [(GCN(hidden=4, dropout=0.0), 1), (GAT(hidden=4, heads=2), 2), (GraphSAGE(hidden=4), 2)]
)
def test_discriminators_by_architecture(model: GCN, layers: int) -> None:
    run = distill(model, tiny_task(), method=OAD(), peers=2, training=Training(epochs=3))
    assert run.members == 2
    critic = GraphCritic(2, 4, None if layers == 1 else 16, relu_head=False)
    assert (critic.second is None) == (layers == 1)


def test_one_student_is_refused() -> None:
    with pytest.raises(MethodError, match="at least two peers"):
        distill(GCN(hidden=4), tiny_task(), method=OAD(), peers=1)


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"head": "round"}, {"local_weight": -1}, {"nodes": "test"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        OAD(**wrong)  # type: ignore[arg-type]
