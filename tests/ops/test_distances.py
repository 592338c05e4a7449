"""Distances in a small hierarchy, beside powers of a dense matrix; the second half of fixture Z1."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, distance_graphs, distance_means

CHAIN = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 1]]), 3)


def test_fixture() -> None:
    x = torch.tensor([1.0, 2, 4], dtype=torch.float64).view(1, 3, 1)
    shares = torch.full((1, 3), 1 / 3, dtype=torch.float64)
    down = distance_means(distance_graphs(CHAIN, 2), x, shares)
    assert down.flatten().tolist() == pytest.approx([2.333333, 2, 1.333333], abs=1e-6)
    up = distance_means(distance_graphs(CHAIN.transposed, 2), down, shares)
    assert up.flatten().tolist() == pytest.approx([0.777778, 1.444444, 1.888889], abs=1e-6)


@pytest.mark.parametrize("most", [1, 2, 3, 9])
def test_beside_dense_powers(most: int) -> None:
    """A graph with circles, loops, duplicates and a node alone."""
    edges = torch.tensor([[0, 1, 2, 3, 4, 4, 5, 6, 6, 2], [1, 2, 3, 0, 0, 0, 4, 6, 5, 5]])
    dense = torch.zeros(8, 8)
    dense[edges[0], edges[1]] = 1
    distance, reached = torch.full((8, 8), -1), torch.eye(8)
    for k in range(8):
        distance[(reached > 0) & (distance < 0)] = k
        reached = reached @ dense
    expected = torch.where(distance >= 0, distance.clamp(max=most), -1)
    found = distance_graphs(Adjacency.from_edge_index(edges, 8), most)
    assert len(found) == most + 1
    for k, graph in enumerate(found):
        own = torch.zeros(8, 8, dtype=torch.bool)
        own[graph.source.long(), graph.target.long()] = True
        assert torch.equal(own, expected == k) and graph.num_edges == own.sum()


def test_no_edges_and_odd_numbers() -> None:
    none = distance_graphs(Adjacency.from_edge_index(torch.zeros(2, 0).long(), 3), 2)
    assert [graph.num_edges for graph in none] == [3, 0, 0]
    with pytest.raises(ConfigError, match="most=0"):
        distance_graphs(CHAIN, 0)
    with pytest.raises(ConfigError, match="for 3 graphs"):
        distance_means(distance_graphs(CHAIN, 2), torch.zeros(1, 3, 1), torch.ones(1, 2))
