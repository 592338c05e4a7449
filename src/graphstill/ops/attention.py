"""Graph attention (Velickovic et al. 2018) without an array of edges times width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.heads import heads
from graphstill.ops.noise import Noise, masked, quantised
from graphstill.ops.precision import raised
from graphstill.ops.segments import SPREAD, shifted


def attend(
    graph: Adjacency,
    score_source: Tensor,
    score_target: Tensor,
    value: Tensor,
    negative_slope: float = 0.2,
    noise: Noise | None = None,
    p: float = 0.0,
) -> Tensor:
    """out_i = sum over edges e into i of dropout(alpha_e) * value[source_e], as in PyG's `GATConv`.

    alpha is the softmax, over the edges into i, of leaky_relu(score_source[source_e] + score_target[i]). The graph is
    used as it is: add self-loops before. Arrays per edge are [E, heads]; products with `value` are sparse.

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
    shape = value.shape[:-1]
    if value.dim() != 4 or score_source.shape != shape or score_target.shape != shape or shape[1] != graph.num_nodes:
        raise ConfigError(
            f"scores have shapes {list(score_source.shape)} and {list(score_target.shape)}, value has "
            f"{list(value.shape)}, the graph {graph.num_nodes} nodes. Where: attend. "
            "Pass scores [members, nodes, heads] and value [members, nodes, heads, width]."
        )
    score_source, score_target, value = raised(score_source), raised(score_target), raised(value)
    threshold = quantised(p) if noise is not None else 0
    kept = None
    if noise is not None and threshold:
        if noise.members != len(value):
            raise ConfigError(
                f"{noise.members} members of noise, {len(value)} of values. Where: attend. "
                "Make the noise with one seed a member."
            )
        kept = noise._kept((graph.num_edges, value.shape[2]), threshold)
    scale = 256 / (256 - threshold)
    out: Tensor = _Attend.apply(graph, score_source, score_target, value, negative_slope, kept, scale)
    return out


class _Attend(torch.autograd.Function):
    """Keeps the scores before the leaky ReLU and alpha, [M, E, K] each, the value and what dropout kept."""

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
        score_source, score_target, value = score_source.contiguous(), score_target.contiguous(), value.contiguous()
        out = torch.empty_like(value)
        scores = value.new_empty(len(value), graph.num_edges, value.shape[2])
        alphas = torch.empty_like(scores)
        for m in range(len(value)):
            torch.add(_at(score_source[m], graph.source), _at(score_target[m], graph.target), out=scores[m])
            _softmax(graph, score_source[m], score_target[m], scores[m], slope, alphas[m])
            weights = alphas[m] if kept is None else masked(alphas[m], kept[m])
            heads(graph, value[m]).aggregate(weights, value[m], out[m], scale)
        ctx.save_for_backward(value, scores, alphas)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        value, scores, alphas = ctx.saved_tensors
        graph, kept, scale, grad = ctx.graph, ctx.kept, ctx.scale, grads[0].contiguous()
        grad_value = torch.empty_like(value)
        grad_source = value.new_empty(value.shape[:-1])
        grad_target = torch.empty_like(grad_source)
        for m in range(len(value)):
            run, alpha = heads(graph, value[m]), alphas[m]
            slopes = run.products(grad[m], value[m])
            weights = alpha
            if kept is not None:
                weights = masked(alpha, kept[m])
                slopes = masked(slopes, kept[m]).mul_(scale)
            run.distribute(weights, grad[m], grad_value[m], scale)
            slopes.mul_(alpha)
            total = graph.sum_into(slopes[None])[0]
            slopes.addcmul_(alpha, _at(total, graph.target), value=-1)
            slopes = torch.ops.aten.leaky_relu_backward(slopes, scores[m], ctx.slope, False)
            grad_target[m] = graph.sum_into(slopes[None])[0]
            grad_source[m] = graph.sum_into(slopes[None], by_source=True)[0]
        return None, grad_source, grad_target, grad_value, None, None, None


def _softmax(graph: Adjacency, source: Tensor, target: Tensor, scores: Tensor, slope: float, out: Tensor) -> None:
    """Softmax of leaky_relu(scores), scores [E, K] being the sums of source and target [N, K] at the edges' ends."""
    activated = torch.nn.functional.leaky_relu(scores, slope)
    if not scores.numel():
        return
    low, high = _range(source, target, slope)
    if high - low < SPREAD:
        torch.exp(activated.sub_(high), out=out)
    else:
        torch.exp(shifted(graph, activated.t().contiguous()).t(), out=out)
    total = graph.sum_into(out[None])[0]
    out.mul_(_at(total.reciprocal_(), graph.target))


def _range(source: Tensor, target: Tensor, slope: float) -> tuple[float, float]:
    """Bounds of the activated scores, from the nodes: there are fewer of them than edges."""
    if source.is_cuda or slope < 0:
        # Looking at values would make a GPU wait for the CPU; a falling activation would turn the bounds round.
        return -torch.inf, torch.inf
    low, high = (float(a + b) for a, b in zip(source.aminmax(), target.aminmax(), strict=True))
    return (low if low > 0 else slope * low), (high if high > 0 else slope * high)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Rows of values [N, K] by number; for K = 1 as a vector, which is three times as fast."""
    return values.view(-1).index_select(0, index)[:, None] if values.shape[1] == 1 else values.index_select(0, index)
