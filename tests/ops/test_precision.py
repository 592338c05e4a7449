"""Products in a region of lower precision: near those in float32, gradients too; what must stay in float32 does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from graphstill.ops import Adjacency, Noise, SparseFeatures, attend, mix_hops, spmm
from graphstill.ops.dense import member_product

# Of the norm. Eight bits of mantissa: one rounding is 0.4 % at most, and those of a sum partly cancel.
NEAR = 0.01


def both(product: Callable[[], Tensor], inputs: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Result and gradients in float32, and in a region of bfloat16."""
    found = []
    for enabled in (False, True):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            out = product()
        found.append([out, *torch.autograd.grad(out.float().square().sum(), inputs)])
    return found[0], found[1]


def products(graph: Adjacency) -> dict[str, tuple[Callable[[], Tensor], list[Tensor]]]:
    torch.manual_seed(0)
    nodes = graph.num_nodes
    x, weight = torch.randn(2, nodes, 20), torch.randn(2, 20, 18) / 4
    x.requires_grad_(), weight.requires_grad_()
    values = torch.rand(2, graph.num_edges)
    bag = SparseFeatures.from_dense((torch.rand(nodes, 20) < 0.3).float())
    return {
        "constant": (lambda: spmm(graph, graph.gcn_weights(torch.float32), x), [x]),
        "ones": (lambda: spmm(graph, None, x), [x]),
        "shared x": (lambda: spmm(graph, values, x[0]), [x]),
        "per member": (lambda: spmm(graph, values, x), [x]),
        "sparse": (lambda: bag.matmul(weight), [weight]),
        "dropped": (lambda: bag.matmul(weight, Noise([0, 1]).at(0), 0.5), [weight]),
        "dense": (lambda: member_product(x, weight), [x, weight]),
    }


@pytest.mark.parametrize("which", ["constant", "ones", "shared x", "per member", "sparse", "dropped", "dense"])
def test_products_are_lowered(graph: Adjacency, which: str) -> None:
    full, low = both(*products(graph)[which])
    assert full[0].dtype == torch.float32 and low[0].dtype == torch.bfloat16
    for a, b in zip(full, low, strict=True):
        assert (b.float() - a).norm() < NEAR * a.norm()
    assert not torch.equal(low[0].float(), full[0])
    assert all(gradient.dtype == torch.float32 for gradient in low[1:])


def test_learnt_weights_stay_in_float32(graph: Adjacency) -> None:
    torch.manual_seed(0)
    nodes = graph.num_nodes
    x = torch.randn(1, nodes, 4, requires_grad=True)
    values = torch.rand(1, graph.num_edges, requires_grad=True)
    scores = torch.randn(2, 1, nodes, 2, requires_grad=True)
    hops = torch.rand(1, 3, nodes, requires_grad=True)
    for product, inputs in (
        (lambda: spmm(graph, values, x), [values, x]),
        (lambda: attend(graph, scores[0], scores[1], x.unflatten(-1, (2, 2))), [scores, x]),
        (lambda: mix_hops(graph, graph.gcn_weights(torch.float32), x, hops), [x, hops]),
    ):
        for a, b in zip(*both(product, inputs), strict=True):
            assert torch.equal(a, b)


def test_float64_is_left_alone(graph: Adjacency) -> None:
    x = torch.randn(graph.num_nodes, 4, dtype=torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert spmm(graph, None, x).dtype == torch.float64


def test_weights_are_converted_once(graph: Adjacency) -> None:
    weights = graph.gcn_weights(torch.float32)
    low = graph.in_precision(weights, torch.bfloat16)
    assert low.dtype == torch.bfloat16 and graph.in_precision(weights, torch.bfloat16) is low
    assert graph.in_precision(weights, torch.float32) is weights
