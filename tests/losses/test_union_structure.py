"""Fixture D3: two clouds of four points that see different neighbours; and the union written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.losses import edge_similarity, graph_pairs, local_structure_kl, table_pairs, union_structure_kl
from graphstill.ops import Adjacency

S = torch.tensor([[[0.0, 0], [1, 0], [0, 2], [3, 0]]], dtype=torch.float64)
T = torch.tensor([[[0.0, 0], [2, 0], [0, 1], [1, 1]]], dtype=torch.float64)
ROOT = math.sqrt(0.5)


def nearest(x: Tensor, k: int) -> Tensor:
    """The k nearest of each point, itself first, ties to the lower index: [M, n, k]."""
    distances = torch.cdist(x, x).round(decimals=9)
    return distances.sort(stable=True, dim=-1).indices[..., :k]


def graph_of(table: Tensor) -> Adjacency:
    rows = torch.arange(len(table)).repeat_interleave(table.shape[1])
    return Adjacency.from_edge_index(torch.stack([table.flatten(), rows]), len(table))


def test_fixture_edges() -> None:
    s, t = nearest(S, 2), nearest(T, 2)
    pairs = table_pairs(s, t, self_pairs=True)
    assert pairs.kept is not None
    by_table = pairs.graph.edge_index()[:, pairs.kept]
    by_graph = graph_pairs(graph_of(s[0]), graph_of(t[0]), self_pairs=True).graph.edge_index()
    names = "00 01 02 10 11 13 20 22 31 32 33"
    for edges in (by_table, by_graph):
        assert " ".join(sorted(f"{i}{j}" for j, i in edges.T.tolist())) == names


@pytest.mark.parametrize(
    ("kernel", "bandwidth", "which", "self_pairs", "direction", "expected"),
    [
        ("rbf", ROOT, "union", True, "target", 0.016924),
        ("rbf", ROOT, "union", True, "student", 0.016840),
        ("rbf", ROOT, "student", True, "target", 0.010041),
        ("rbf", ROOT, "teacher", True, "target", 0.010680),
        ("rbf", ROOT, "union", False, "target", 0.023855),
        ("negative_euclidean", 1.0, "union", True, "target", 0.589861),
        ("negative_euclidean", 1.0, "union", True, "student", 0.324104),
        ("negative_euclidean", 1.0, "student", True, "target", 0.159615),
        ("negative_euclidean", 1.0, "teacher", True, "target", 0.578400),
        ("negative_euclidean", 1.0, "union", False, "target", 0.954447),
        ("negative_euclidean", 1.0, "student", False, "target", 0.0),
        ("negative_euclidean", 1.0, "teacher", False, "target", 0.0),
    ],
)
def test_fixture(kernel: str, bandwidth: float, which: str, self_pairs: bool, direction: str, expected: float) -> None:
    s, t = nearest(S, 2), nearest(T, 2)
    for pairs in (table_pairs(s, t, which, self_pairs), graph_pairs(graph_of(s[0]), graph_of(t[0]), which, self_pairs)):  # type: ignore[arg-type]
        found = union_structure_kl(pairs, T, S, kernel, bandwidth, direction)  # type: ignore[arg-type]
        assert found.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kernel", ["negative_euclidean", "rbf", "poly", "linear"])
@pytest.mark.parametrize("which", ["union", "student", "teacher"])
@pytest.mark.parametrize("self_pairs", [True, False])
def test_members_with_graphs_of_their_own_are_as_one_by_one(kernel: str, which: str, self_pairs: bool) -> None:
    """And as `local_structure_kl` on the union of each, bandwidth and gradient included."""
    s = torch.randn(3, 9, 4, dtype=torch.float64, requires_grad=True)
    t = torch.randn(1, 9, 6, dtype=torch.float64)
    own, his = nearest(s.detach(), 3), nearest(t, 4)
    his[0, 2, 3] = -1  # a row with a neighbour less
    pairs = table_pairs(own, his, which, self_pairs)  # type: ignore[arg-type]
    found = union_structure_kl(pairs, t, s, kernel)  # type: ignore[arg-type]
    gradient = torch.autograd.grad(found.sum(), s)[0]
    for m in range(3):
        one = table_pairs(own[m : m + 1], his, which, self_pairs)  # type: ignore[arg-type]
        alone = s[m : m + 1].detach().requires_grad_()
        value = union_structure_kl(one, t, alone, kernel)  # type: ignore[arg-type]
        torch.testing.assert_close(value[0], found[m])
        torch.testing.assert_close(torch.autograd.grad(value.sum(), alone)[0][0], gradient[m])
        assert one.kept is not None
        union = Adjacency.from_edge_index(one.graph.edge_index()[:, one.kept], 9)
        q, p = (edge_similarity(union, x, kernel) for x in (t, alone.detach()))  # type: ignore[arg-type]
        torch.testing.assert_close(local_structure_kl(union, q, p)[0], value[0])


def test_shared_graphs_and_several_members() -> None:
    s, t = torch.randn(3, 9, 4), torch.randn(1, 9, 6)
    own, his = nearest(s[:1], 3), nearest(t, 4)
    by_table = union_structure_kl(table_pairs(own, his), t, s)
    by_graph = union_structure_kl(graph_pairs(graph_of(own[0]), graph_of(his[0])), t, s)
    torch.testing.assert_close(by_table, by_graph)
    assert by_table.shape == (3,) and by_table.min() > 0


def test_same_features_and_rotated_ones_cost_nothing() -> None:
    s = torch.randn(2, 9, 4, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q
    pairs = table_pairs(nearest(s, 3), nearest(s, 4))
    assert union_structure_kl(pairs, s @ rotation * 7, s).abs().max() < 1e-12


def test_points_that_coincide_and_nodes_without_a_neighbour() -> None:
    s = torch.zeros(1, 3, 2, requires_grad=True)
    pairs = table_pairs(torch.tensor([[[1], [0], [-1]]]), torch.tensor([[[2], [-1], [-1]]]))
    found = union_structure_kl(pairs, torch.randn(1, 3, 2), s)
    found.sum().backward()
    assert found.isfinite().all() and s.grad is not None and s.grad.isfinite().all()
    nobody = torch.full((1, 3, 1), -1)
    assert union_structure_kl(table_pairs(nobody, nobody), torch.randn(1, 3, 2), s).tolist() == [0]


def test_shapes_that_do_not_fit_are_told() -> None:
    with pytest.raises(ConfigError, match="of the same nodes"):
        table_pairs(torch.zeros(1, 3, 2).long(), torch.zeros(1, 4, 2).long())
    with pytest.raises(ConfigError, match="graphs of 3 and 4 nodes"):
        graph_pairs(*(Adjacency.from_edge_index(torch.zeros(2, 0).long(), n) for n in (3, 4)))
