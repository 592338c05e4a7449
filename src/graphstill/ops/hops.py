"""A weighted sum over the hops of a propagation, with a weight for each node and hop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.precision import raised
from graphstill.ops.weights import EdgeWeights


def mix_hops(graph: Adjacency, values: EdgeWeights | Tensor, x: Tensor, weights: Tensor) -> Tensor:
    """out_i = sum over k of weights[.., k, i] * (A^k x)_i, for k = 0..K.

    Args:
        graph: N nodes, E edges.
        values: edge weights of A in CSR order, [E], shared by the members and without gradient.
        x: [M, N, D].
        weights: [M, K + 1, N].

    Returns:
        [M, N, D], differentiable in `x` and `weights`. No hop is kept for the backward pass: they are computed again,
        and what flows back through all of them is one sum, so that memory does not grow with K.

    Raises:
        ConfigError: shapes or dtypes that do not fit.
    """
    fits = x.dim() == 3 and weights.dim() == 3 and x.shape[1] == weights.shape[2] == graph.num_nodes
    if not fits or x.shape[0] != weights.shape[0] or not weights.shape[1] or values.shape != (graph.num_edges,):
        raise ConfigError(
            f"x is {list(x.shape)}, weights are {list(weights.shape)}, values {list(values.shape)}, for a graph of "
            f"{graph.num_nodes} nodes and {graph.num_edges} edges. Where: mix_hops. Pass [members, nodes, width], "
            "[members, hops + 1, nodes] and [edges]."
        )
    x, weights = raised(x), raised(weights)
    if not values.dtype == x.dtype == weights.dtype:
        raise ConfigError(
            f"values are {values.dtype}, x is {x.dtype}, weights are {weights.dtype}. Where: mix_hops. Convert them."
        )
    out: Tensor = _Mix.apply(graph, values, x, weights)
    return out


class _Mix(torch.autograd.Function):
    """Member by member: a member's hops stay in the caches."""

    @staticmethod
    def forward(ctx: Any, graph: Adjacency, values: EdgeWeights | Tensor, x: Tensor, weights: Tensor) -> Tensor:
        ctx.graph, ctx.values = graph, values
        x = x.contiguous()
        ctx.save_for_backward(x, weights)
        out = torch.empty_like(x)
        for mixed, own, weight in zip(out, x, weights.unsqueeze(-1), strict=True):
            for k, hop in enumerate(_hops(graph, values, own, len(weight))):
                mixed.addcmul_(hop, weight[k]) if k else torch.mul(hop, weight[k], out=mixed)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        x, weights = ctx.saved_tensors
        grad_x, grad_weights = torch.empty_like(x), torch.empty_like(weights)
        graph, values = ctx.graph, ctx.values
        for member, (grad, weight) in enumerate(zip(grads[0].contiguous(), weights.unsqueeze(-1), strict=True)):
            for k, hop in enumerate(_hops(graph, values, x[member], len(weight))):
                torch.linalg.vecdot(grad, hop, out=grad_weights[member, k])
            # Horner's rule: A'(A'(w_K g) + w_{K-1} g) + ... + w_0 g, where A' is the transpose.
            back = grad * weight[-1]
            for k in reversed(range(len(weight) - 1)):
                back = graph.transposed_product(values, back[None])[0].addcmul_(grad, weight[k])
            grad_x[member] = back
        return None, None, grad_x, grad_weights


def _hops(graph: Adjacency, values: EdgeWeights | Tensor, x: Tensor, count: int) -> Iterator[Tensor]:
    """x, A x, A A x, ...; each is made when it is asked for."""
    yield x
    for _ in range(1, count):
        x = graph.product(values, x[None])[0]
        yield x
