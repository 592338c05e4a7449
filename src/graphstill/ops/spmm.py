"""Sum over neighbours as a sparse product with a cached transpose."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.precision import raised, region
from graphstill.ops.weights import EdgeWeights


def spmm(graph: Adjacency, values: EdgeWeights | Tensor | None, x: Tensor, scale: float = 1.0) -> Tensor:
    """out[.., i, :] = scale * sum over edges e into i of values[.., e] * x[.., source_e, :].

    Args:
        graph: N nodes, E edges.
        values: edge weights in CSR order, [E] (shared), [M, E] (per member) or None (ones). Weights made by the graph
            (`gcn_weights`, `mean_weights`) are fastest: their transposes are kept.
        x: [M, N, D] or [N, D] (shared by all members).
        scale: a constant; it costs a pass over the edges, not over the result and its gradient.

    Returns:
        [M, N, D], or [N, D] where neither `values` nor `x` has a member axis. Differentiable in `x` (through the
        transpose) and in `values` (by sampled products, never an [E, D] array).

    Raises:
        ConfigError: shapes or dtypes that do not fit.
    """
    if values is None:
        values = graph.ones(x.dtype)
    values, x = _in_region(graph, values, x)
    _check(graph, values, x)
    plain = x.dim() == 2
    if not isinstance(values, EdgeWeights) and (values.requires_grad or values.dim() == 2):
        members = values.dim() == 2
        values = values if scale == 1.0 else values * scale
        out: Tensor = _Learned.apply(graph, values if members else values[None], x[None] if plain else x)
        return out if members or not plain else out.squeeze(0)
    out = _Constant.apply(graph, values, x[None] if plain else x, scale)
    # Not out[0], whose gradient is a copy into zeros.
    return out.squeeze(0) if plain else out


def _in_region(graph: Adjacency, values: EdgeWeights | Tensor, x: Tensor) -> tuple[EdgeWeights | Tensor, Tensor]:
    """Both in the precision of an autocast region; in float32 there where the weights are learnt."""
    if isinstance(values, Tensor) and values.requires_grad:
        return raised(values), raised(x)
    low = region(x)
    return (values, x) if low is None else (graph.in_precision(values, low), x.to(low))


def _check(graph: Adjacency, weights: EdgeWeights | Tensor, x: Tensor) -> None:
    if x.dim() not in (2, 3) or x.shape[-2] != graph.num_nodes:
        raise ConfigError(
            f"x has shape {list(x.shape)}, the graph has {graph.num_nodes} nodes. Where: spmm. "
            "Pass [members, nodes, width] or [nodes, width]."
        )
    values = graph.values_of(weights)
    fits = values.dim() == 1 or (
        values.dim() == 2 and (x.dim() == 2 or 1 in {len(values), len(x)} or len(values) == len(x))
    )
    if not fits or values.shape[-1] != graph.num_edges:
        raise ConfigError(
            f"values have shape {list(values.shape)}, x has {list(x.shape)}, the graph has {graph.num_edges} edges. "
            "Where: spmm. Pass [edges] or [members, edges] in the graph's CSR order."
        )
    if values.dtype != x.dtype:
        raise ConfigError(f"values are {values.dtype}, x is {x.dtype}. Where: spmm. Convert one of them.")


class _Constant(torch.autograd.Function):
    """Shared weights without gradient."""

    @staticmethod
    def forward(ctx: Any, graph: Adjacency, weights: EdgeWeights | Tensor, x: Tensor, scale: float) -> Tensor:
        ctx.graph, ctx.weights, ctx.scale = graph, weights, scale
        return graph.product(weights, x, scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return None, None, ctx.graph.transposed_product(ctx.weights, grads[0], ctx.scale), None


class _Learned(torch.autograd.Function):
    """Weights per member, [M, E] or [1, E], times x [M, N, D] or [1, N, D]."""

    @staticmethod
    def forward(ctx: Any, graph: Adjacency, values: Tensor, x: Tensor) -> Tensor:
        ctx.graph = graph
        ctx.save_for_backward(values, x)
        return graph.product(values, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        values, x = ctx.saved_tensors
        graph, grad = ctx.graph, grads[0].contiguous()
        grad_values = grad_x = None
        if ctx.needs_input_grad[1]:
            grad_values = x.new_zeros(len(grad), graph.num_edges)
            for member in range(len(grad)):
                sampled_product(graph, grad[member], x[member % len(x)], grad_values[member])
            grad_values = grad_values.sum_to_size(values.shape)
        if ctx.needs_input_grad[2]:
            grad_x = graph.transposed_product(values, grad).sum_to_size(x.shape)
        return None, grad_values, grad_x


def sampled_product(graph: Adjacency, rows: Tensor, columns: Tensor, out: Tensor) -> Tensor:
    """out_e = <rows[target_e], columns[source_e]> for rows, columns [N, D], written into `out` [E], which holds zeros.

    Zeros, because torch multiplies what `out` held by beta = 0 instead of ignoring it, which keeps NaN.
    """
    if not graph.num_edges or not rows.shape[-1]:
        return out
    if graph.num_edges > graph.num_nodes**2:
        # Torch would cut the graph's own arrays off at what a matrix [N, N] can hold without duplicates.
        return torch.sum(rows.index_select(0, graph.target) * columns.index_select(0, graph.source), -1, out=out)
    if 1 < rows.shape[-1] < 8 and not rows.is_cuda:
        # Below eight columns torch's kernel does not use vector instructions: 7 columns take 12 times as long as 8.
        rows, columns = (torch.nn.functional.pad(side, (0, 8 - side.shape[-1])) for side in (rows, columns))
    pattern = graph.matrix(out)
    torch.sparse.sampled_addmm(pattern, rows, columns.t(), beta=0.0, out=pattern)
    return out
