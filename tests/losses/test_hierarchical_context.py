"""HCL: closed forms on maps and on a graph, and the equations written out once more."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses import graph_context, image_context
from graphstill.ops import Adjacency


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def graph(nodes: int) -> Adjacency:
    edges = torch.randint(nodes, (2, 2 * nodes), generator=torch.Generator().manual_seed(1))
    return Adjacency.from_edge_index(edges.unique(dim=1), nodes)


@pytest.mark.parametrize(("size", "levels"), [(8, (4, 2, 1)), (5, (4, 2, 1)), (4, (2, 1)), (2, (1,)), (1, ())])
def test_maps_equal_the_definition(size: int, levels: tuple[int, ...]) -> None:
    t, s = normal(1, 3, 4, size, size), normal(2, 3, 4, size, size, seed=1)
    for m in range(2):
        total, weight, weights = F.mse_loss(s[m], t[0]), 1.0, 1.0
        for level in levels:
            weight /= 2
            weights += weight
            total = total + weight * F.mse_loss(F.adaptive_avg_pool2d(s[m], level), F.adaptive_avg_pool2d(t[0], level))
        torch.testing.assert_close(image_context(t, s)[m], total / weights)


@pytest.mark.parametrize("size", [8, 4, 1])
def test_a_constant_offset_counts_its_square_at_every_level(size: int) -> None:
    maps = normal(2, 3, 4, size, size)
    assert image_context(maps, maps).abs().max() == 0
    torch.testing.assert_close(image_context(maps[:1], maps[:1] + 0.3), torch.full((1,), 0.09, dtype=torch.float64))
    nodes = normal(2, 9, 4)
    assert graph_context(nodes, nodes, graph(9)).abs().max() == 0
    offset = graph_context(nodes[:1], nodes[:1] + 0.3, graph(9))
    torch.testing.assert_close(offset, torch.full((1,), 0.09, dtype=torch.float64))


def test_an_offset_of_mean_zero_does_not_reach_the_coarsest_level() -> None:
    """+1 on the left half and −1 on the right: 1 in full, in 4 x 4 and in 2 x 2, nothing in 1 x 1."""
    maps = torch.zeros(1, 1, 1, 8, 8)
    halves = torch.ones(8).index_fill(0, torch.arange(4, 8), -1.0).expand(8, 8)
    assert image_context(maps, maps + halves).item() == pytest.approx((1 + 0.5 + 0.25) / 1.875)
    # A checkerboard is gone after the first averaging.
    board = (-1.0) ** (torch.arange(8)[:, None] + torch.arange(8))
    assert image_context(maps, maps + board).item() == pytest.approx(1 / 1.875)


def test_maps_of_one_position_are_left_with_the_mean_square() -> None:
    t, s = normal(1, 3, 4, 1, 1), normal(2, 3, 4, 1, 1, seed=1)
    torch.testing.assert_close(image_context(t, s), (s - t).square().mean((1, 2, 3, 4)))


def test_graph_equals_dense_matrices() -> None:
    g, t, s = graph(9), normal(1, 9, 4), normal(2, 9, 4, seed=1)
    a = torch.eye(9, dtype=torch.float64)
    a[g.target.long(), g.source.long()] = 1
    a = a / a.sum(1, keepdim=True)
    everything = torch.full((1, 9), 1 / 9, dtype=torch.float64)
    levels = [(a.matrix_power(hops), 0.5**hops) for hops in range(3)] + [(everything, 0.125)]
    expected = sum(w * (p @ (s - t)).square().mean((1, 2)) for p, w in levels) / 1.875
    torch.testing.assert_close(graph_context(t, s, g), expected)
    assert torch.autograd.gradcheck(lambda x: graph_context(t, x, g), s.requires_grad_())
