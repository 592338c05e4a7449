"""Graph attention (Velickovic et al. 2018) without an array of edges times width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import _csr
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.noise import Noise, quantised
from graphstill.ops.segments import softmax, sum_by_target, to_edges
from graphstill.ops.spmm import sampled_product


def attend(
    graph: Adjacency,
    score_source: Tensor,
    score_target: Tensor,
    value: Tensor,
    negative_slope: float = 0.2,
    noise: Noise | None = None,
    p: float = 0.0,
) -> Tensor:
    """out_i = sum over edges e into i of dropout(alpha_e) * value[source_e], as PyG's `GATConv` does after its linear layers.

    alpha is the softmax, over the edges into i, of leaky_relu(score_source[source_e] + score_target[i]). The graph is
    used as it is: add self-loops before. What is kept per edge is [heads, E]; products with `value` are sparse.

    Args:
        score_source, score_target: [M, N, K], K heads.
        value: [M, N, K, D].
        negative_slope: of the leaky ReLU.
        noise: where given, dropout on alpha with rate p, independent for members and heads.

    Returns:
        [M, N, K, D]; differentiable in both scores and the value; 0 for nodes without edges.

    Raises:
        ConfigError: shapes that do not fit.
    """
    heads = value.shape[:-1]
    if value.dim() != 4 or score_source.shape != heads or score_target.shape != heads or heads[1] != graph.num_nodes:
        raise ConfigError(
            f"scores have shapes {list(score_source.shape)} and {list(score_target.shape)}, value has "
            f"{list(value.shape)}, the graph {graph.num_nodes} nodes. Where: attend. "
            "Pass scores [members, nodes, heads] and value [members, nodes, heads, width]."
        )
    threshold = quantised(p) if noise is not None else 0
    kept = None
    if noise is not None and threshold:
        if noise.members != len(value):
            raise ConfigError(
                f"{noise.members} members of noise, {len(value)} of values. Where: attend. "
                "Make the noise with one seed a member."
            )
        kept = noise._kept((value.shape[2], graph.num_edges), threshold)
    scale = 256 / (256 - threshold)
    out: Tensor = _Attend.apply(graph, score_source, score_target, value, negative_slope, kept, scale)
    return out


class _Attend(torch.autograd.Function):
    """Keeps scores and alpha, [M, K, E] each, the value and the result."""

    @staticmethod
    def forward(
        ctx: Any,
        graph: Adjacency,
        score_source: Tensor,
        score_target: Tensor,
        value: Tensor,
        slope: float,
        kept: Tensor | None,
        scale: float,
    ) -> Tensor:
        ctx.graph, ctx.slope, ctx.kept, ctx.scale = graph, slope, kept, scale
        members, _, heads, _ = value.shape
        value = value.contiguous()
        out = torch.empty_like(value)
        alphas = value.new_empty(members, heads, graph.num_edges)
        scores = torch.empty_like(alphas)
        for m in range(members):
            torch.index_select(score_source[m].t().contiguous(), 1, graph.source, out=scores[m])
            scores[m] += to_edges(graph, score_target[m].t().contiguous())
            softmax(graph, torch.nn.functional.leaky_relu(scores[m], slope), alphas[m])
            weights = alphas[m] if kept is None else alphas[m] * kept[m]
            for k in range(heads):
                _csr.multiply(graph.matrix(weights[k]), value[m, :, k], out[m, :, k], scale)
        ctx.save_for_backward(value, scores, alphas, out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        value, scores, alphas, out = ctx.saved_tensors
        graph, kept, scale, grad = ctx.graph, ctx.kept, ctx.scale, grads[0].contiguous()
        members, nodes, heads, _ = value.shape
        grad_value = torch.empty_like(value)
        grad_source = value.new_empty(members, nodes, heads)
        grad_target = torch.empty_like(grad_source)
        # The softmax's derivative needs the sum of alpha_e * d loss / d alpha_e over the edges into i: <grad_i, out_i>.
        total = (grad * out).sum(-1).transpose(1, 2).contiguous()
        for m in range(members):
            alpha = alphas[m]
            weights = alpha if kept is None else alpha * kept[m]
            by_source = weights.index_select(1, graph.t_order)
            slopes = torch.zeros_like(alpha)
            for k in range(heads):
                sampled_product(graph, grad[m, :, k], value[m, :, k], slopes[k])
                transposed = graph.transposed.matrix(by_source[k])
                _csr.multiply(transposed, grad[m, :, k], grad_value[m, :, k], scale)
            if kept is not None:
                slopes.mul_(kept[m]).mul_(scale)
            slopes.sub_(to_edges(graph, total[m])).mul_(alpha)
            slopes = torch.ops.aten.leaky_relu_backward(slopes, scores[m], ctx.slope, False)
            grad_target[m] = sum_by_target(graph, slopes).t()
            grad_source[m] = sum_by_target(graph.transposed, slopes.index_select(1, graph.t_order)).t()
        return None, grad_source, grad_target, grad_value, None, None, None
