"""A small awkward graph and its features, on which models are checked."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.nn import KnownLabels
from graphstill.ops import Adjacency, Noise, SparseFeatures

NODES, FEATURES, CLASSES = 14, 9, 4
SEEDS = [3, 7, 9]


def edges() -> Tensor:
    """Directed, with self-loops, with a repeated edge, nodes without sources, and an isolated one (the last)."""
    generator = torch.Generator().manual_seed(1)
    index = torch.randint(NODES - 1, (2, 40), generator=generator)
    loops = torch.tensor([[2, 5], [2, 5]])
    index = index[:, index[1] != 0]
    return torch.cat([index, index[:, :1], loops], dim=1)


def graph() -> Adjacency:
    return Adjacency.from_edge_index(edges(), NODES)


def dense(dtype: torch.dtype = torch.float64, width: int = FEATURES) -> Tensor:
    """Features of which most are zero, and one row all zeros."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(NODES, width, generator=generator, dtype=torch.float64)
    x[torch.rand(x.shape, generator=generator) < 0.5] = 0.0
    x[4] = 0.0
    return x.to(dtype)


def sparse(dtype: torch.dtype = torch.float64, width: int = FEATURES) -> SparseFeatures:
    return SparseFeatures.from_dense(dense(dtype, width))


def known() -> KnownLabels:
    """Labels of five nodes, the isolated one among them, for models that have labels as an input."""
    return KnownLabels.of(NODES, torch.tensor([1, 4, 8, 9, NODES - 1]), torch.tensor([2, 0, 3, 1, 2]))


def probe(logits: Tensor) -> Tensor:
    """A scalar a member in which every logit has a weight of its own."""
    weight = torch.linspace(-1.0, 1.0, logits[0].numel(), dtype=logits.dtype).view(logits.shape[1:])
    return (logits * weight).sum((-1, -2)).sin()


def noise(seeds: list[int] = SEEDS, step: int = 1) -> Noise:
    return Noise(seeds).at(step)
