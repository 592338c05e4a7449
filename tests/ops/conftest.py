"""A small graph with everything that goes wrong: an isolated node, nodes without incoming edges, loops, duplicates."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.ops import Adjacency

NODES = 9


@pytest.fixture
def edge_index() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    edges = torch.stack([torch.randint(8, (24,), generator=generator), torch.randint(7, (24,), generator=generator)])
    return torch.cat([edges, edges[:, :3], torch.tensor([[1, 2, 7], [1, 2, 0]]), torch.tensor([[1], [1]])], dim=1)


@pytest.fixture
def graph(edge_index: Tensor) -> Adjacency:
    return Adjacency.from_edge_index(edge_index, NODES)


@pytest.fixture
def empty() -> Adjacency:
    return Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), 3)
