"""The mixture of hops against powers of a dense matrix."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, mix_hops
from tests.ops.conftest import NODES


def dense(graph: Adjacency, values: Tensor) -> Tensor:
    matrix = values.new_zeros(graph.num_nodes, graph.num_nodes)
    return matrix.index_put_((graph.target, graph.source), values, accumulate=True)


@pytest.mark.parametrize("hops", [0, 1, 2, 5])
def test_equals_powers_of_the_dense_matrix(graph: Adjacency, hops: int) -> None:
    torch.manual_seed(0)
    values = torch.randn(graph.num_edges, dtype=torch.float64)
    # Strided, as the trunk's part of a wider product is.
    x = torch.randn(3, NODES, 5, dtype=torch.float64)[..., :4].requires_grad_()
    weights = torch.randn(3, hops + 1, NODES, dtype=torch.float64, requires_grad=True)
    powers = torch.stack([torch.linalg.matrix_power(dense(graph, values), k) for k in range(hops + 1)])
    out, expected = mix_hops(graph, values, x, weights), torch.einsum("mki,kij,mjd->mid", weights, powers, x)
    torch.testing.assert_close(out, expected)
    slope = torch.randn_like(out)
    for ours, theirs in zip(
        torch.autograd.grad(out, (x, weights), slope),
        torch.autograd.grad(expected, (x, weights), slope),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs)


def test_without_edges_only_the_node_itself_is_left(empty: Adjacency) -> None:
    x, weights = torch.ones(1, 3, 2, requires_grad=True), torch.full((1, 3, 3), 0.5)
    out = mix_hops(empty, torch.zeros(0), x, weights)
    assert torch.equal(out, torch.full((1, 3, 2), 0.5))
    out.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.full((1, 3, 2), 0.5))


@pytest.mark.parametrize(
    ("x", "weights", "edges"),
    [
        ((2, NODES, 4), (1, 3, NODES), None),
        ((NODES, 4), (1, 3, NODES), None),
        ((1, NODES, 4), (1, 0, NODES), None),
        ((1, NODES, 4), (1, 3, NODES - 1), None),
        ((1, NODES, 4), (1, 3, NODES), 5),
    ],
)
def test_shapes_that_do_not_fit(
    graph: Adjacency, x: tuple[int, ...], weights: tuple[int, ...], edges: int | None
) -> None:
    with pytest.raises(ConfigError, match=r"mix_hops.*\[members, hops \+ 1, nodes\]"):
        mix_hops(graph, torch.ones(edges or graph.num_edges), torch.ones(x), torch.ones(weights))


def test_dtypes_that_do_not_fit(graph: Adjacency) -> None:
    with pytest.raises(ConfigError, match=r"float64.*mix_hops.*Convert"):
        mix_hops(graph, torch.ones(graph.num_edges).double(), torch.ones(1, NODES, 2), torch.ones(1, 2, NODES))
