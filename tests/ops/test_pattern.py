"""Sparse products of all members against dense ones, in both precisions: the kernels behind them differ."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.ops import Adjacency, Noise, SparseFeatures, _pattern, sparse_features, spmm

M, D = 3, 5
TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


@pytest.fixture(params=["together", "one by one"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All members in one call, or each in its own because together they hold too much."""
    if request.param == "one by one":
        monkeypatch.setattr(_pattern, "TOGETHER", 0)
        monkeypatch.setattr(sparse_features, "TOGETHER", 0)


def dense(graph: Adjacency, values: Tensor) -> Tensor:
    return torch.zeros(9, 9, dtype=values.dtype).index_put(
        (graph.target.long(), graph.source.long()), values, accumulate=True
    )


@TYPES
@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize(("shared_values", "shared_x"), [(True, False), (False, False), (False, True), (True, True)])
def test_product_and_its_transpose(
    graph: Adjacency, dtype: torch.dtype, scale: float, shared_values: bool, shared_x: bool
) -> None:
    torch.manual_seed(0)
    values = (
        torch.randn(graph.num_edges, dtype=dtype) if shared_values else torch.randn(M, graph.num_edges, dtype=dtype)
    )
    x = torch.randn(1 if shared_x else M, 9, D, dtype=dtype)
    rows = values.view(-1, graph.num_edges)
    matrices = torch.stack([dense(graph, row) for row in rows])
    assert torch.allclose(graph.product(values, x, scale), scale * matrices @ x, atol=1e-5)
    assert torch.allclose(graph.transposed_product(values, x, scale), scale * matrices.mT @ x, atol=1e-5)
    alone = graph.product(rows[-1], x[-1:], scale)
    assert torch.equal(graph.product(values, x, scale)[-1:], alone)


@TYPES
def test_weights_of_the_graph_for_any_number_of_members(graph: Adjacency, dtype: torch.dtype) -> None:
    weights = graph.gcn_weights(dtype)
    for members in (1, 3, 2, 3):
        x = torch.randn(members, 9, D, dtype=dtype)
        assert torch.allclose(graph.product(weights, x), dense(graph, weights.values) @ x, atol=1e-6)
        assert torch.allclose(graph.transposed_product(weights, x), dense(graph, weights.values).t() @ x, atol=1e-6)
    other = graph.ones(dtype)
    assert torch.allclose(graph.product(other, x), dense(graph, other.values) @ x, atol=1e-6)


def test_features_need_not_be_contiguous(graph: Adjacency) -> None:
    weights, x = graph.gcn_weights(torch.float32), torch.randn(9, M, 4, D)
    for part in (x[:, 1:2].transpose(0, 1)[..., 2, :], x.permute(1, 0, 3, 2)[..., 0]):
        assert torch.allclose(graph.product(weights, part), dense(graph, weights.values) @ part, atol=1e-6)


def test_gradients_in_single_precision_are_those_of_double(graph: Adjacency) -> None:
    torch.manual_seed(0)
    values, x = torch.rand(M, graph.num_edges, dtype=torch.float64), torch.randn(M, 9, D, dtype=torch.float64)
    found = []
    for dtype in (torch.float64, torch.float32):
        given = [part.to(dtype).requires_grad_() for part in (values, x)]
        out = spmm(graph, *given)
        # What a function of ours returns may be written into.
        out.add_(1.0)
        found.append([out, *torch.autograd.grad(out.square().sum(), given)])
    for mine, reference in zip(found[1], found[0], strict=True):
        assert torch.allclose(mine.double(), reference, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("p", [0.0, 0.5])
def test_sparse_features_with_dropout(p: float) -> None:
    torch.manual_seed(0)
    features = SparseFeatures.from_dense(torch.randn(20, 7) * (torch.rand(20, 7) < 0.4))
    weight = torch.randn(M, 7, D, requires_grad=True)
    kept = Noise([1, 2, 3])._kept((features.nnz,), 128) if p else torch.ones(M, features.nnz)
    matrices = []
    for row in kept:
        part = SparseFeatures(features.ptr, features.indices, features.values * row / (1 - p), features.shape)
        matrices.append(part.to_dense())
    expected = torch.stack(matrices) @ weight
    out = features.matmul(weight, Noise([1, 2, 3]), p)
    assert torch.allclose(out, expected, atol=1e-5)
    grad = torch.randn_like(out)
    grads = [torch.autograd.grad(result, weight, grad)[0] for result in (out, expected)]
    assert torch.allclose(*grads, atol=1e-5)


def test_nothing_stored_is_zero(empty: Adjacency) -> None:
    assert torch.equal(empty.product(empty.ones(torch.float32), torch.ones(2, 3, 4)), torch.zeros(2, 3, 4))
