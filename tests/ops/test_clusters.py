"""Communities: two cliques with a bridge, graphs of a batch that never share one, and pairs within graphs."""

from __future__ import annotations

import sys

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, Clusters, Groups, louvain


def cliques() -> torch.Tensor:
    one = torch.combinations(torch.arange(4)).T
    edges = torch.cat([one, one + 4, torch.tensor([[3], [4]])], 1)
    return torch.cat([edges, edges.flip(0)], 1)


def test_two_cliques_in_a_batch() -> None:
    edges = torch.cat([cliques(), cliques() + 9], 1)
    ptr = torch.tensor([0, 8, 9, 17, 17])
    found = louvain(Adjacency.from_edge_index(edges, 17), ptr)
    assert found.of_node.of_row.tolist() == [0] * 4 + [1] * 4 + [2] + [3] * 4 + [4] * 4
    assert found.ptr.tolist() == [0, 2, 3, 5, 5] and found.of_node.count == 5
    alone = louvain(Adjacency.from_edge_index(cliques(), 8), torch.tensor([0, 8]))
    assert torch.equal(alone.of_node.of_row, found.of_node.of_row[:8])


def test_pairs_are_within_graphs_that_have_enough() -> None:
    clusters = Clusters(Groups(torch.arange(6), 6), torch.tensor([0, 1, 4, 4, 6]))
    assert clusters.pairs().edge_index().T.tolist() == [[j, i] for i in (1, 2, 3) for j in (1, 2, 3)]
    two = clusters.pairs(at_least=2).edge_index()
    assert two.shape == (2, 13) and clusters.pairs(at_least=1).num_edges == 14
    again = Adjacency.from_edge_index(two, 6)
    assert torch.equal(again.ptr, clusters.pairs(2).ptr) and torch.equal(again.source, clusters.pairs(2).source)


def test_without_networkx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(ConfigError, match=r"Install graphstill\[graphs\]"):
        louvain(Adjacency.from_edge_index(cliques(), 8), torch.tensor([0, 8]))
