"""Closed forms of the local structure loss (fixture F1: a node with two neighbours) and its invariants."""

from __future__ import annotations

import math

import pytest
import torch

from graphstill.losses import edge_similarity, local_structure_kl
from graphstill.ops import Adjacency, edge_log_softmax, edge_softmax, segment_sum

STUDENT = torch.tensor([[[0.0, 0], [1, 0], [0, 2]]], dtype=torch.float64)
TEACHER = torch.tensor([[[0.0, 0], [2, 0], [0, 1]]], dtype=torch.float64)
STAR = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)


@pytest.mark.parametrize(
    ("kernel", "bandwidth", "expected"),
    [
        ("euclidean", "mean", 2.715445),
        ("l2", "mean", 0.462117),
        ("laplace", 100.0, 4.852e-05),
        ("rbf", 1.0, 0.109003),
        ("negative_euclidean", math.sqrt(0.5), 2.715445),
        ("negative_l2", 1.0, 0.462117),
    ],
)
@pytest.mark.parametrize("direction", ["target", "student"])
def test_fixture_star(kernel: str, bandwidth: float | str, expected: float, direction: str) -> None:
    s = edge_similarity(STAR, STUDENT, kernel, bandwidth)
    t = edge_similarity(STAR, TEACHER, kernel, bandwidth)
    assert local_structure_kl(STAR, t, s, direction).item() == pytest.approx(expected, rel=2e-4)


@pytest.mark.parametrize(("kernel", "expected"), [("linear", 0.462117), ("poly", 2.715445), ("cosine", 0.0)])
def test_fixture_star_products(kernel: str, expected: float) -> None:
    """With the centre at (1, 1); all three cosines differ only by symmetry, so they agree."""
    s, t = STUDENT.clone(), TEACHER.clone()
    s[0, 0] = t[0, 0] = 1
    value = local_structure_kl(STAR, edge_similarity(STAR, t, kernel), edge_similarity(STAR, s, kernel))
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_direction() -> None:
    s, t = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1]]).log()
    assert local_structure_kl(STAR, t, s, "student").item() == pytest.approx(0.510826, abs=1e-6)
    assert local_structure_kl(STAR, t, s, "target").item() == pytest.approx(0.368064, abs=1e-6)


def test_alignahead_path() -> None:
    """Two edges into c with similarities (1, ½): LS = (.6225, .3775), KL to a uniform student 0.0303."""
    path = Adjacency.from_edge_index(torch.tensor([[0, 1], [2, 2]]), 3)
    h = torch.tensor([[[0.0], [100 * math.log(2)], [0.0]]], dtype=torch.float64)
    similarity = edge_similarity(path, h, "laplace", 100.0)
    torch.testing.assert_close(similarity, torch.tensor([[1.0, 0.5]], dtype=torch.float64))
    uniform = torch.zeros_like(similarity)
    assert local_structure_kl(path, similarity, uniform).item() == pytest.approx(0.0303, abs=1e-4)


def random_graph(seed: int = 0, nodes: int = 12, edges: int = 40) -> Adjacency:
    g = torch.Generator().manual_seed(seed)
    return Adjacency.from_edge_index(torch.randint(nodes, (2, edges), generator=g), nodes)


def features(seed: int, members: int = 2, nodes: int = 12, width: int = 5) -> torch.Tensor:
    return torch.randn(members, nodes, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kernel", ["rbf", "euclidean", "l2", "negative_euclidean", "negative_l2", "linear", "poly"])
def test_rotation_changes_nothing(kernel: str) -> None:
    graph, h = random_graph(), features(1)
    rotation = torch.linalg.qr(features(2, 1, 5, 5)[0]).Q
    torch.testing.assert_close(edge_similarity(graph, h @ rotation, kernel), edge_similarity(graph, h, kernel))


@pytest.mark.parametrize("kernel", ["rbf", "euclidean", "laplace", "negative_l2"])
def test_translation_changes_no_distance(kernel: str) -> None:
    graph, h = random_graph(), features(1)
    torch.testing.assert_close(edge_similarity(graph, h + 3.0, kernel), edge_similarity(graph, h, kernel))


def test_zero_where_equal_and_no_edge_order() -> None:
    graph, h = random_graph(), features(1)
    s = edge_similarity(graph, h, "negative_euclidean")
    assert local_structure_kl(graph, s, s).abs().max() < 1e-12
    shuffled = Adjacency.from_edge_index(graph.edge_index()[:, torch.randperm(graph.num_edges)], graph.num_nodes)
    one = local_structure_kl(graph, edge_similarity(graph, features(2), "rbf"), edge_similarity(graph, h, "rbf"))
    two = local_structure_kl(
        shuffled, edge_similarity(shuffled, features(2), "rbf"), edge_similarity(shuffled, h, "rbf")
    )
    torch.testing.assert_close(one, two)


def test_single_neighbours_cost_nothing_and_mean_counts_nodes_with_neighbours() -> None:
    line = Adjacency.from_edge_index(torch.tensor([[0, 1], [1, 2]]), 6)
    t, s = features(3, 1, 6), features(4, 1, 6)
    assert local_structure_kl(line, edge_similarity(line, t, "l2"), edge_similarity(line, s, "l2")).item() < 1e-12
    graph = random_graph()
    a, b = edge_similarity(graph, features(5), "rbf"), edge_similarity(graph, features(6), "rbf")
    log_q, log_p = edge_log_softmax(graph, a), edge_log_softmax(graph, b)
    per_node = segment_sum(graph, log_q.exp() * (log_q - log_p))
    torch.testing.assert_close(local_structure_kl(graph, a, b), per_node.sum(-1) / (graph.degree() > 0).sum())
    assert (per_node >= -1e-12).all() and (per_node <= 2).all(), "an RBF inside the softmax bounds each node by 2"


def test_alignahead_bounds() -> None:
    """Kernel values in (0, 1] keep the largest ratio within a neighbourhood below e."""
    graph = random_graph()
    structure = edge_softmax(graph, edge_similarity(graph, 50 * features(7), "laplace", 100.0))
    degree = graph.degree()[graph.target.long()].double()
    assert (structure >= 1 / (1 + (degree - 1) * math.e) - 1e-9).all()
    assert (structure <= math.e / (math.e + degree - 1) + 1e-9).all()


def test_gradient_is_finite_where_features_coincide() -> None:
    graph, h = random_graph(), torch.ones(1, 12, 5, dtype=torch.float64, requires_grad=True)
    target = edge_similarity(graph, features(8, 1), "negative_l2")
    local_structure_kl(graph, target, edge_similarity(graph, h, "negative_l2")).sum().backward()
    assert h.grad is not None and h.grad.isfinite().all()


@pytest.mark.parametrize("kernel", ["rbf", "negative_euclidean", "negative_l2", "laplace"])
@pytest.mark.parametrize("bandwidth", ["mean", "median"])
def test_a_bandwidth_from_the_data_makes_the_scale_irrelevant(kernel: str, bandwidth: str) -> None:
    """Multiplying all features changes nothing, and so no gradient points along them (Euler's theorem)."""
    graph, h = random_graph(), features(9).requires_grad_()
    target = edge_similarity(graph, features(10), kernel, bandwidth)
    loss = local_structure_kl(graph, target, edge_similarity(graph, h, kernel, bandwidth))
    torch.testing.assert_close(
        local_structure_kl(graph, target, edge_similarity(graph, 37 * h, kernel, bandwidth)), loss
    )
    loss.sum().backward()
    assert h.grad is not None
    assert (h * h.grad).sum((1, 2)).abs().max() < 1e-7 < h.grad.abs().max()
