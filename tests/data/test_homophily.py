"""Homophily by hand, and that nothing of the test labels is in it."""

from __future__ import annotations

import pytest
import torch

from graphstill.data.homophily import homophily
from graphstill.ops import Adjacency
from tests.data import toy


def test_by_hand() -> None:
    # 0-1, 1-2, 2-3 in both directions, a loop, and an edge to a node of unknown class.
    edges = torch.tensor([[0, 1, 1, 2, 2, 3, 0, 3, 4], [1, 0, 2, 1, 3, 2, 0, 4, 3]])
    found = homophily(Adjacency.from_edge_index(edges, 5), torch.tensor([0, 0, 1, 1, -1]))
    # Two of three undirected edges join equals; both classes have half of the ends.
    assert found == {"edge": pytest.approx(2 / 3, abs=1e-4), "adjusted": pytest.approx(1 / 3, abs=1e-4), "edges": 6}


def test_extremes() -> None:
    ring = toy.undirected([(i, (i + 1) % 8) for i in range(8)])
    graph = Adjacency.from_edge_index(ring, 8)
    assert homophily(graph, torch.arange(8) % 2) == {"edge": 0.0, "adjusted": -1.0, "edges": 16}
    assert homophily(graph, torch.zeros(8, dtype=torch.int64)) == {"edge": 1.0, "adjusted": 0.0, "edges": 16}
    assert homophily(graph, torch.full((8,), -1)) is None
    assert homophily(graph, torch.zeros(8, 3)) is None


def test_test_labels_are_not_looked_at() -> None:
    y = toy.arrays()["y"].clone()
    other = y.clone()
    other[toy.TEST] = 1 - other[toy.TEST]
    found = [toy.task(y=labels).protocol()["homophily"] for labels in (y, other)]
    assert found[0] == found[1] is not None
