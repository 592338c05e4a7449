"""Messages along edges that have features: what goes over an edge is rectified before it is summed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.ops.adjacency import Adjacency
from graphstill.ops.groups import Groups


def rectified_sum(graph: Adjacency, h: Tensor, table: Tensor, kinds: Groups) -> Tensor:
    """Σ over the edges j → i of ReLU(h_j + table[kind of the edge]), differentiable in h and the table.

    Of all that has the size of edges times width only one bit a number is kept for the backward pass.

    Shapes: h [M, N, D], table [M, K, D], kinds: the E edges in CSR order in K groups -> [M, N, D].
    """
    out: Tensor = _RectifiedSum.apply(graph, h, table, kinds)
    return out


def rectified_sum_of(graph: Adjacency, h: Tensor, e: Tensor) -> Tensor:
    """The same with features of each edge, e [M, E, D] in CSR order."""
    out: Tensor = _RectifiedSumOf.apply(graph, h, e)
    return out


class _RectifiedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Adjacency, h: Tensor, table: Tensor, kinds: Groups) -> Tensor:
        sent = h.index_select(1, graph.source).add_(table.index_select(1, kinds.of_row)).relu_()
        ctx.graph, ctx.kinds = graph, kinds
        ctx.save_for_backward(sent > 0)
        return graph.sum_into(sent)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        graph = ctx.graph
        (open_,) = ctx.saved_tensors
        grad = grads[0].index_select(1, graph.target).mul_(open_)
        return None, graph.sum_into(grad, by_source=True), ctx.kinds.sum(grad), None


class _RectifiedSumOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Adjacency, h: Tensor, e: Tensor) -> Tensor:
        sent = h.index_select(1, graph.source).add_(e).relu_()
        ctx.graph = graph
        ctx.save_for_backward(sent > 0)
        return graph.sum_into(sent)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (open_,) = ctx.saved_tensors
        grad = grads[0].index_select(1, ctx.graph.target).mul_(open_)
        return None, ctx.graph.sum_into(grad, by_source=True), grad
