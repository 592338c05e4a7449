"""GLNN and FF-G2M: labels, edges and their absence, against plain loops."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.engine import Training, distill
from graphstill.errors import ConfigError
from graphstill.losses import bernoulli_kl, edge_contrast_kl, neighbour_kl, softmax_kl
from graphstill.methods import FFG2M, GLNN, KD
from graphstill.nn import GCN, MLP
from graphstill.ops import Adjacency
from tests.methods.stage import set_stage
from tests.tiny import tiny_task

EDGES = torch.tensor([[0, 1, 2, 3, 3, 1, 2], [1, 0, 3, 2, 1, 3, 2]])


def graph_and_logits() -> tuple[Adjacency, Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    target = torch.randn(1, 5, 3, generator=g, dtype=torch.float64)
    return Adjacency.from_edge_index(EDGES, 5), target, torch.randn(2, 5, 3, generator=g, dtype=torch.float64)


def test_glnn_is_kd_on_all_nodes() -> None:
    glnn = set_stage(GLNN(labels=0.25), tiny_task(), [0, 1]).total()
    torch.testing.assert_close(glnn, set_stage(KD(temperature=1.0, alpha=0.75), tiny_task(), [0, 1]).total())
    assert GLNN().supervision(0.0) == 0 and GLNN(labels=0.25).supervision(0.0) == 0.25


@pytest.mark.parametrize("labels", [0.0, 0.5])
def test_without_labels_in_the_loss_they_change_no_weight(labels: float) -> None:
    """A student trained on wrong labels ends with the same weights where λ = 0, and only there."""
    task, short = tiny_task(), Training(epochs=3)
    teacher = GCN(hidden=4).build(task.in_features, task.num_outputs, [0])
    logits = teacher(task.full_batch().x, task.full_batch().graph).logits[0].detach()
    states = []
    for wrong in (0, 1):
        other = tiny_task()
        batch = other.training_batches(0)[0]
        batch.y[batch.train_rows] = (batch.y[batch.train_rows] + wrong) % 3
        run = distill(MLP(hidden=4), other, method=GLNN(labels=labels), teacher=logits, training=short)
        states.append(run.cohorts[0].member_state(0))
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0]) == (labels == 0)


@pytest.mark.parametrize("multi_label", [False, True])
def test_neighbour_kl_against_a_loop(multi_label: bool) -> None:
    graph, target, student = graph_and_logits()
    kl = bernoulli_kl if multi_label else softmax_kl
    kept = torch.tensor([[1, 0, 1, 1, 0, 1, 1], [0] * 7], dtype=torch.float64)
    source, into = graph.edge_index()
    edges = [kl(target[:, source[e], None].transpose(0, 1), student[:, into[e], None], 1.0) for e in range(7)]
    each = torch.stack(edges, 1)
    torch.testing.assert_close(neighbour_kl(graph, target, student, 1.0, multi_label), each.mean(1))
    some = neighbour_kl(graph, target, student, 1.0, multi_label, kept)
    torch.testing.assert_close(some, torch.stack([(each[0] * kept[0]).sum() / 5, torch.zeros((), dtype=each.dtype)]))


def test_edge_contrast_against_a_loop() -> None:
    graph, target, student = graph_and_logits()
    source, into = graph.edge_index()
    keep = source != into
    source, into = source[keep], into[keep]
    q = F.log_softmax((target[:, into] - target[:, source]).abs() / 1.5, -1)
    p = F.log_softmax((student[:, into] - student[:, source]).abs() / 1.5, -1)
    torch.testing.assert_close(edge_contrast_kl(graph, target, student, 1.5), (q.exp() * (q - p)).sum(-1).mean(1))
    assert torch.autograd.gradcheck(lambda z: edge_contrast_kl(graph, target, z, 1.5), student.requires_grad_())


def test_ends_with_equal_logits_are_uniform() -> None:
    """The student tells its ends nothing apart; the teacher only in the first channel, by ln 3 · τ."""
    graph = Adjacency.from_edge_index(torch.tensor([[0, 1], [1, 0]]), 2)
    target = torch.zeros(1, 2, 2)
    target[0, 0, 0] = torch.tensor(3.0).log()
    value = edge_contrast_kl(graph, target, torch.ones(1, 2, 2))
    expected = 0.75 * torch.tensor(0.75 / 0.5).log() + 0.25 * torch.tensor(0.25 / 0.5).log()
    torch.testing.assert_close(value[0], expected)
    assert edge_contrast_kl(graph, target, target).item() == 0


def test_without_edges_low_is_glnn_and_high_is_nothing() -> None:
    stage = set_stage(FFG2M(), tiny_task(), [0, 1])
    assert stage.t is not None
    stage.s.graph = Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), 120)
    terms = stage.terms()
    torch.testing.assert_close(terms["low"], softmax_kl(stage.t.logits, stage.s.logits))
    assert terms["high"].tolist() == [0, 0]


def test_each_part_alone() -> None:
    both = set_stage(FFG2M(labels=0.5), tiny_task(), [0]).terms()
    low = set_stage(FFG2M(labels=0.5, high_weight=0), tiny_task(), [0]).terms()
    high = set_stage(FFG2M(labels=0.5, low_weight=0), tiny_task(), [0]).terms()
    assert list(low) == ["low"] and list(high) == ["high"]
    torch.testing.assert_close(both, low | high)


@pytest.mark.parametrize("wrong", [{"labels": 1.5}, {"temperature": 0}, {"low_weight": -1}])
def test_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        FFG2M(**wrong)
