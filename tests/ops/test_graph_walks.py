"""Walks along edges only, from each start; contexts of links, fixture L4 (edges that are not sorted)."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, link_contexts, random_walks, walks_of_graphs

PATH = Adjacency.from_edge_index(torch.tensor([[0, 1, 2, 1, 2, 3], [1, 2, 3, 0, 1, 2]]), 4)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_step_is_an_edge_and_all_neighbours_are_met_alike() -> None:
    walks = random_walks(PATH, torch.arange(4).repeat(2000).view(2, -1), 3, seeded())
    assert walks.shape == (2, 4000, 4) and (walks.diff(dim=-1).abs() == 1).all()
    after = walks[..., 1][walks[..., 0] == 1]
    assert ((after == 0).float().mean() - 0.5).abs() < 0.05
    once, again = (random_walks(PATH, torch.arange(4), 3, seeded(5)) for _ in range(2))
    assert torch.equal(once, again)


def test_a_node_alone_and_a_graph_without_edges_wait() -> None:
    lonely = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 3)
    assert random_walks(lonely, torch.tensor([1, 2]), 2, seeded()).tolist() == [[1, 0, 0], [2, 2, 2]]
    empty = Adjacency.from_edge_index(torch.zeros(2, 0).long(), 2)
    assert random_walks(empty, torch.tensor([1]), 2, seeded()).tolist() == [[1, 1, 1]]
    with pytest.raises(ConfigError, match="walks of -1 steps"):
        random_walks(PATH, torch.arange(4), -1, seeded())


def test_walks_stay_in_their_graph_and_graphs_without_an_edge_have_none() -> None:
    two = Adjacency.from_edge_index(torch.cat([PATH.edge_index(), PATH.edge_index() + 5], 1), 9)
    ptr = torch.tensor([0, 0, 4, 5, 9, 9])  # an empty graph first and last, a node alone in the middle
    walks, kept = walks_of_graphs(two, ptr, 50, 4, seeded())
    assert kept.any(1).tolist() == kept.all(1).tolist() == [False, True, False, True, False]
    for g, (low, high) in ((1, (0, 4)), (3, (5, 9))):
        assert walks[g].unique().tolist() == list(range(low, high)) and walks[g, :, 0].unique().numel() == 4
    nothing = Adjacency.from_edge_index(torch.zeros(2, 0).long(), 0)
    nobody, none = walks_of_graphs(nothing, torch.tensor([0, 0]), 2, 3, seeded())
    assert nobody.shape == (1, 2, 4) and not none.any()


def test_fixture_of_edges_in_any_order() -> None:
    """One step from each node of the path meets its neighbours, not those that a wrong reading of the rows gives."""
    nodes, kept = link_contexts(PATH, torch.arange(4), 1, 40, 0, seeded())
    assert [sorted(row[k].tolist()) for row, k in zip(nodes, kept, strict=True)] == [[1], [0, 2], [1, 3], [2]]


def test_contexts_hold_no_anchor_and_nothing_twice() -> None:
    anchors = torch.tensor([0, 3, 3, 2])
    nodes, kept = link_contexts(PATH, anchors, 2, 3, 2, seeded())
    assert nodes.shape == kept.shape == (4, 18)
    for anchor, row, k in zip(anchors.tolist(), nodes, kept, strict=True):
        found = row[k].tolist()
        assert anchor not in found and sorted(set(found)) == sorted(found) == sorted(set(row.tolist()) - {anchor})
    with pytest.raises(ConfigError, match="hops=0, walks=3, far=2"):
        link_contexts(PATH, anchors, 0, 3, 2, seeded())
