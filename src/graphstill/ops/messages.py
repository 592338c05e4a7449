"""Messages along edges that have features: what goes over an edge is rectified before it is summed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.ops.adjacency import Adjacency


def rectified_sum(graph: Adjacency, h: Tensor, table: Tensor, kind: Tensor) -> Tensor:
    """Σ over the edges j → i of ReLU(h_j + table[kind of the edge]), differentiable in h and the table.

    Of all that has the size of edges times width only one bit a number is kept for the backward pass.

    Shapes: h [M, N, D], table [M, K, D], kind int64 [E] in CSR order with numbers below K -> [M, N, D].
    """
    out: Tensor = _RectifiedSum.apply(graph, h, table, kind)
    return out


def rectified_sum_of(graph: Adjacency, h: Tensor, e: Tensor) -> Tensor:
    """The same with features of each edge, e [M, E, D] in CSR order."""
    out: Tensor = _RectifiedSumOf.apply(graph, h, e)
    return out


class _RectifiedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Adjacency, h: Tensor, table: Tensor, kind: Tensor) -> Tensor:
        sent = h.index_select(1, graph.source.long()).add_(table.index_select(1, kind)).relu_()
        ctx.graph, ctx.kinds = graph, table.shape[1]
        ctx.save_for_backward(sent > 0, kind)
        return graph.sum_into(sent)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        graph = ctx.graph
        open_, kind = ctx.saved_tensors
        grad = grads[0].index_select(1, graph.target.long()).mul_(open_)
        own = grad.new_zeros(len(grad), ctx.kinds, grad.shape[2]).index_add_(1, kind, grad)
        return None, graph.sum_into(grad, by_source=True), own, None


class _RectifiedSumOf(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Adjacency, h: Tensor, e: Tensor) -> Tensor:
        sent = h.index_select(1, graph.source.long()).add_(e).relu_()
        ctx.graph = graph
        ctx.save_for_backward(sent > 0)
        return graph.sum_into(sent)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (open_,) = ctx.saved_tensors
        grad = grads[0].index_select(1, ctx.graph.target.long()).mul_(open_)
        return None, ctx.graph.sum_into(grad, by_source=True), grad
