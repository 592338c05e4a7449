"""MuGSI's terms, fixture G4; what a graph weighs in a batch of several."""

from __future__ import annotations

import pytest
import torch

from graphstill.losses import cluster_distance, graph_distance, path_kl
from graphstill.ops import Adjacency, Clusters, Groups, walks_of_graphs

S = torch.tensor([[[1.0, 0], [0, 1], [1, 1], [2, 0]]], dtype=torch.float64)
T = torch.tensor([[[1.0, 0], [1, 1], [0, 1], [0, 2]]], dtype=torch.float64)
CLUSTERS = Clusters(Groups(torch.tensor([0, 0, 1, 2]), 3), torch.tensor([0, 3]))
WALKS = torch.tensor([[[0, 1, 2], [3, 2, 1]]])


def test_fixture_of_clusters() -> None:
    for pool in (CLUSTERS.of_node.mean, CLUSTERS.of_node.sum):
        found = cluster_distance(CLUSTERS.pairs(), pool(T), pool(S), 1)
        assert found.item() == pytest.approx(0.458904, abs=1e-6)


def test_fixture_of_paths() -> None:
    assert path_kl(T, S, WALKS, torch.ones(1, 2).bool()).item() == pytest.approx(0.447949, abs=1e-6)


def test_fixture_of_graphs() -> None:
    s, t = torch.tensor([[[3.0, 4]]]), torch.tensor([[[0.0, 2]]])
    assert graph_distance(t, s).item() == pytest.approx(0.2, abs=1e-6)
    cosine = torch.cosine_similarity(S.mean(1), T.mean(1))
    torch.testing.assert_close(graph_distance(T.mean(1, keepdim=True), S.mean(1, keepdim=True)), 1 - cosine)


def test_nothing_to_learn_from_the_same_with_other_widths() -> None:
    rotation = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64)).Q[:2]
    t, pooled = S @ rotation, CLUSTERS.of_node.mean(S)
    assert cluster_distance(CLUSTERS.pairs(), pooled @ rotation, 3 * pooled, 1).abs().max() < 1e-12
    assert path_kl(t, S, WALKS, torch.ones(1, 2).bool()).abs().max() < 1e-12


def test_graphs_of_a_batch_weigh_the_same_and_those_without_the_term_not_at_all() -> None:
    """Two copies of one graph with a graph of two clusters and a node alone between them."""
    s, t = (torch.cat([x, torch.randn(1, 3, 2, dtype=torch.float64), x], 1) for x in (S, T))
    clusters = Clusters(Groups(torch.tensor([0, 0, 1, 2, 3, 4, 5, 6, 6, 7, 8]), 9), torch.tensor([0, 3, 5, 6, 9]))
    pooled = [clusters.of_node.mean(x) for x in (t, s)]
    graphs = (clusters.ptr.diff() >= 3).sum()
    assert cluster_distance(clusters.pairs(), *pooled, graphs).item() == pytest.approx(0.458904, abs=1e-6)
    walks = torch.cat([WALKS, torch.tensor([[[4, 5, 4]] * 2, [[6, 6, 6]] * 2]), WALKS + 7])
    kept = torch.tensor([[True, True], [False, False], [False, False], [True, True]])
    assert path_kl(t, s, walks, kept).item() == pytest.approx(0.447949, abs=1e-6)
    one = path_kl(t, s, walks[:1, :1], kept[:1, :1]) + path_kl(t, s, walks[:1, 1:], kept[:1, 1:])
    assert one.item() / 2 == pytest.approx(0.447949, abs=1e-6), "the mean of both walks"


def test_members_alone_and_together_with_a_gradient_for_the_student_only() -> None:
    edges = torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]])
    walks, kept = walks_of_graphs(Adjacency.from_edge_index(edges, 4), torch.tensor([0, 4]), 5, 3, torch.Generator())
    s = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    t, pairs = torch.randn(1, 4, 6, dtype=torch.float64), CLUSTERS.pairs()

    def terms(h: torch.Tensor) -> torch.Tensor:
        pooled = (CLUSTERS.of_node.mean(x) for x in (t, h))
        return path_kl(t, h, walks, kept) + cluster_distance(pairs, *pooled, 1)

    together = terms(s)
    torch.testing.assert_close(together, torch.cat([terms(s[m : m + 1]) for m in range(3)]))
    assert torch.autograd.gradcheck(terms, s)


def test_a_batch_without_any_walk_or_cluster_pair_gives_nothing() -> None:
    s = S.clone().requires_grad_()
    found = path_kl(T, s, WALKS, torch.zeros(1, 2).bool())
    found = found + cluster_distance(CLUSTERS.pairs(at_least=9), T[:, :3], s[:, :3], 0)
    found.sum().backward()
    assert found.tolist() == [0] and s.grad is not None and not s.grad.any()
