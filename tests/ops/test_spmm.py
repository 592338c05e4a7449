from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, spmm

M, N, D = 3, 9, 4


def dense(graph: Adjacency, values: Tensor) -> Tensor:
    """[.., N, N], differentiable in the values."""
    empty = values.new_zeros(*values.shape[:-1], N * N)
    return empty.index_add(-1, graph.target.long() * N + graph.source, values).unflatten(-1, (N, N))


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("value_members", [None, 1, M])
@pytest.mark.parametrize("x_members", [None, 1, M])
def test_equals_the_dense_product(graph: Adjacency, learned: bool, value_members, x_members) -> None:
    torch.manual_seed(0)
    values = torch.randn(*([value_members] if value_members else []), graph.num_edges, dtype=torch.float64)
    x = torch.randn(*([x_members] if x_members else []), N, D, dtype=torch.float64, requires_grad=True)
    values.requires_grad_(learned)
    out, expected = spmm(graph, values, x), dense(graph, values) @ x
    assert out.shape == expected.shape and out.is_contiguous()
    assert torch.allclose(out, expected)
    inputs = [x, values] if learned else [x]
    grad = torch.randn_like(out)
    for ours, theirs in zip(
        torch.autograd.grad(out, inputs, grad), torch.autograd.grad(expected, inputs, grad), strict=True
    ):
        assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("width", [1, 7, 8, 40])
def test_gradients_by_finite_differences(graph: Adjacency, width: int) -> None:
    x = torch.randn(2, N, width, dtype=torch.float64, requires_grad=True)
    values = torch.randn(2, graph.num_edges, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v, x: spmm(graph, v, x), (values, x), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: spmm(graph, None, x), (x,), fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: spmm(graph, graph.gcn_weights(x.dtype), x), (x,), fast_mode=True)


def test_float32_and_strided_input(graph: Adjacency) -> None:
    x = torch.randn(M, D, N).transpose(1, 2).requires_grad_()
    weights = graph.gcn_weights(torch.float32)
    out = spmm(graph, weights, x)
    expected = dense(graph, weights.values) @ x
    assert torch.allclose(out, expected, atol=1e-6)
    grads = [torch.autograd.grad(result.square().sum(), x)[0] for result in (out, expected)]
    assert torch.allclose(*grads, atol=1e-5)


def test_members_do_not_mix(graph: Adjacency) -> None:
    x = torch.randn(M, N, D)
    weights = graph.mean_weights(torch.float32)
    assert torch.equal(spmm(graph, weights, x)[1], spmm(graph, weights, x[1]))


def test_disjoint_equals_separate(graph: Adjacency, empty: Adjacency) -> None:
    other = graph.with_self_loops()
    union = Adjacency.disjoint([graph, empty, other])
    x = torch.randn(union.num_nodes, D)
    parts = zip((graph, empty, other), x.split([9, 3, 9]), strict=True)
    expected = torch.cat([spmm(part, part.gcn_weights(x.dtype), rows) for part, rows in parts])
    assert torch.equal(spmm(union, union.gcn_weights(x.dtype), x), expected)


def test_no_edges_and_no_columns(empty: Adjacency, graph: Adjacency) -> None:
    x = torch.randn(2, 3, D, requires_grad=True)
    values = torch.zeros(2, 0, requires_grad=True)
    out = spmm(empty, values, x)
    out.sum().backward()
    assert not out.any() and not x.grad.any() and values.grad.shape == (2, 0)
    assert spmm(graph, None, torch.zeros(2, N, 0)).shape == (2, N, 0)


def test_unsuitable_arguments_are_refused(graph: Adjacency) -> None:
    edges = graph.num_edges
    for values, x, message in [
        (None, torch.zeros(N + 1, D), "10, 4"),
        (None, torch.zeros(N), r"\[9\]"),
        (torch.zeros(edges + 1), torch.zeros(N, D), "edges"),
        (torch.zeros(2, edges), torch.zeros(M, N, D), "edges"),
        (torch.zeros(edges, dtype=torch.float64), torch.zeros(N, D), "float64"),
    ]:
        with pytest.raises(ConfigError, match=message):
            spmm(graph, values, x)
