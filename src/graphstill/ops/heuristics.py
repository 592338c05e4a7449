"""Scores of pairs of nodes that need no training: how many short ways there are between them.

All take an undirected graph without self-loops or duplicate edges, and pairs int64 [2, P], to float64 [P]. A pair that
is an edge of the graph, as training pairs are, is scored as if that edge were not there, unless `with_own_edge` says
otherwise: a network could not see it either, and no pair to be predicted has it. By closed forms; no score is below 0.

Memory is that of a block of columns; time is Σ min degree for the first three, edges · columns for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.ops._series import entries, inverse, polynomial, spectral_bounds
from graphstill.ops.adjacency import Adjacency

#: Neighbours that are looked up at a time: 32 MB of node numbers.
BLOCK = 2**22


def common_neighbours(graph: Adjacency, pairs: Tensor) -> Tensor:
    """|N(u) ∩ N(v)| = (A²)_uv. The pair's own edge plays no part.

    >>> square = Adjacency.from_edge_index(torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]]), 4)
    >>> common_neighbours(square, torch.tensor([[0, 0], [2, 1]])).tolist()
    [2.0, 0.0]
    """
    return _shared(graph, pairs, torch.ones(graph.num_nodes, dtype=torch.float64, device=graph.device))


def adamic_adar(graph: Adjacency, pairs: Tensor) -> Tensor:
    """Σ over common neighbours w of 1 / ln d_w (Adamic and Adar, 2003). The pair's own edge plays no part."""
    logs = graph.ptr.diff().double().log()
    return _shared(graph, pairs, torch.where(logs > 0, 1 / logs, 0.0))


def resource_allocation(graph: Adjacency, pairs: Tensor) -> Tensor:
    """Σ over common neighbours w of 1 / d_w (Zhou, Lü and Zhang, 2009). The pair's own edge plays no part."""
    return _shared(graph, pairs, 1 / graph.ptr.diff().double())


def local_paths(graph: Adjacency, pairs: Tensor, epsilon: float = 0.01, with_own_edge: bool = False) -> Tensor:
    """(A² + ε A³)_uv (Lü, Jin and Zhou, 2009)."""
    return _walks(graph, pairs, [0.0, 0.0, 1.0, epsilon], with_own_edge)


def katz(
    graph: Adjacency, pairs: Tensor, beta: float = 0.005, terms: int | None = None, with_own_edge: bool = False
) -> Tensor:
    """Σ_k β^k (A^k)_uv over walks of all lengths (Katz, 1953), or of 1 to `terms` steps.

    Deviation: walks, where the released code of EHDM (Qin et al., 2025) counts simple paths of up to three steps.

    Raises:
        ConfigError: β is not below 1 / ρ, ρ the largest eigenvalue, where the sum does not exist; more than three terms
            without the pair's own edge.

    >>> path = Adjacency.from_edge_index(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3)
    >>> katz(path, torch.tensor([[0, 0], [2, 1]]), beta=0.5).round(decimals=6).tolist()
    [0.5, 0.0]
    """
    if terms is not None:
        if terms < 1 or (terms > 3 and not with_own_edge):
            raise ConfigError(f"terms={terms} in katz: pass 1 to 3, more only with with_own_edge=True, or None for all")
        return _walks(graph, pairs, [0.0] + [beta**k for k in range(1, terms + 1)], with_own_edge)
    low, high = spectral_bounds(graph)
    if beta * high >= 1:
        low, high = spectral_bounds(graph, 1e-9, 10_000)
    if beta * high >= 1 or beta <= 0:
        raise ConfigError(
            f"beta={beta} in katz: the largest eigenvalue of this graph is {low:.6g}, so that beta must be above 0 and "
            f"below {1 / max(low, 1e-12):.6g}"
        )

    def column(x: Tensor) -> Tensor:
        return inverse(graph, graph.ones(x.dtype), beta, beta * high, x, 1e-10)

    u, v, edge = _checked(graph, pairs)
    score = _symmetric(graph, u, v, column) - (u == v).double()
    if with_own_edge or not bool(edge.any()):
        return score.clamp(min=0)
    # Of I − βA without the edge: the inverse of what the edge took part in, by Woodbury's identity.
    own = torch.stack([_symmetric(graph, a[edge], a[edge], column) for a in (u, v)])
    return score.masked_scatter(edge, _without(own[0], score[edge], own[1], 0.0, beta)).clamp(min=0)


def personalized_pagerank(graph: Adjacency, pairs: Tensor, alpha: float = 0.15, with_own_edge: bool = False) -> Tensor:
    """π_uv + π_vu, π = α (I − (1 − α) D⁻¹A)⁻¹: where walks from one end stop that stop with α in each step.

    Deviation: both directions, where EHDM's code takes one of them. 0 where one end is alone.

    Raises:
        ConfigError: alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ConfigError(f"alpha={alpha} in personalized_pagerank: pass a number between 0 and 1")

    def column(x: Tensor) -> Tensor:
        return inverse(graph, graph.gcn_weights(x.dtype), 1 - alpha, 1 - alpha, x, 1e-10)

    u, v, edge = _checked(graph, pairs)
    degree = graph.ptr.diff().double()
    du, dv = degree[u], degree[v]
    both = _symmetric(graph, u, v, column)
    root = (du * dv).clamp(min=1).sqrt()
    score = alpha * both * torch.where(u == v, 2.0, (du + dv) / root) * ((u == v) | (du * dv > 0))
    if with_own_edge or not bool(edge.any()):
        return score.clamp(min=0)
    # The same of D − (1 − α) A, whose inverse is D^-1/2 (..) D^-1/2; an end without another edge is alone then.
    a, b = (_symmetric(graph, s[edge], s[edge], column) / degree[s[edge]] for s in (u, v))
    du, dv = du[edge], dv[edge]
    alone = (du < 2) | (dv < 2)
    less = _without(a, torch.where(alone, 0.0, both[edge] / root[edge]), b, -1.0, 1 - alpha)
    return score.masked_scatter(edge, torch.where(alone, 0.0, alpha * less * (du + dv - 2))).clamp(min=0)


def heuristic_logits(scores: Tensor, reference: Tensor, kind: Literal["count", "walk"]) -> Tensor:
    """Scores as a teacher's logits: (φ(s) − μ) / σ, μ and σ of φ over a reference; [..] -> [..].

    φ is log(1 + s) for counts (common neighbours, Adamic-Adar, resource allocation, local paths) and log(s + 1e-12) for
    walks (Katz, PageRank). The reference, [n] scores of training contexts, holds no pair to be predicted.

    >>> heuristic_logits(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]), "count").tolist()
    [-1.0, 1.0]
    """

    def squeezed(s: Tensor) -> Tensor:
        return s.log1p() if kind == "count" else (s + 1e-12).log()

    seen = squeezed(reference)
    spread = seen.std(correction=0)
    return (squeezed(scores) - seen.mean()) / torch.where(spread > 0, spread, 1.0)


def _shared(graph: Adjacency, pairs: Tensor, weight: Tensor) -> Tensor:
    """Σ over common neighbours of their weight, by looking the neighbours of the end with fewer up at the other."""
    u, v, _ = _checked(graph, pairs)
    degree = graph.ptr.diff().long()
    swap = degree[u] > degree[v]
    u, v = torch.where(swap, v, u), torch.where(swap, u, v)
    codes, count = _codes(graph), degree[u]
    score, total = torch.zeros(len(u), dtype=torch.float64, device=u.device), count.cumsum(0)
    marks = torch.arange(0, int(total[-1]) + BLOCK if len(u) else BLOCK, BLOCK, device=u.device)
    cuts = [*torch.searchsorted(total, marks[:-1], right=True).tolist(), len(u)]
    for begin, end in pairwise(cuts):
        some = slice(begin, end)
        row = torch.arange(begin, end, device=u.device).repeat_interleave(count[some])
        at = torch.arange(len(row), device=u.device) - (total[row] - count[row] - (total[begin - 1] if begin else 0))
        middle = graph.source[graph.ptr[u[row]] + at].long()
        code = v[row] * graph.num_nodes + middle
        met = codes[torch.searchsorted(codes, code).clamp(max=len(codes) - 1)] == code if len(row) else code > 0
        score.index_add_(0, row, weight[middle] * met)
    return score


def _walks(graph: Adjacency, pairs: Tensor, factors: list[float], with_own_edge: bool) -> Tensor:
    """Σ_k factors_k (A^k)_uv. Without an edge A_uv is 0, (A²)_uv stays, and (A³)_uv falls by d_u + d_v − 1."""
    u, v, edge = _checked(graph, pairs)
    score = _symmetric(graph, u, v, lambda x: polynomial(graph, x, factors))
    if with_own_edge:
        return score
    degree = graph.ptr.diff().double()
    third = factors[3] if len(factors) > 3 else 0.0
    return (score - edge * (factors[1] + third * (degree[u] + degree[v] - 1))).clamp(min=0)


def _symmetric(graph: Adjacency, u: Tensor, v: Tensor, column: Callable[[Tensor], Tensor]) -> Tensor:
    """Entries of a symmetric matrix, from the columns of the side that has fewer."""
    if len(u.unique()) < len(v.unique()):
        u, v = v, u
    return entries(graph.num_nodes, u, v, column)


def _without(a: Tensor, b: Tensor, c: Tensor, diagonal: float, beside: float) -> Tensor:
    """Off the diagonal of ([[a, b], [b, c]]^-1 + [[diagonal, beside], [beside, diagonal]])^-1."""
    whole = a * c - b * b
    off = b / whole - beside
    return off / ((c / whole + diagonal) * (a / whole + diagonal) - off * off)


def _codes(graph: Adjacency) -> Tensor:
    """A number for each edge, in rising order."""
    return graph.target.long() * graph.num_nodes + graph.source


def _checked(graph: Adjacency, pairs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Both ends, and which pairs are edges."""
    codes = _codes(graph)
    if not graph.symmetric or len(graph.loops) or bool((codes[1:] == codes[:-1]).any()):
        raise DataError(
            f"{graph} is directed, or has self-loops or an edge twice. Where: ops.heuristics. Pass both directions of "
            "each edge once, and no self-loops."
        )
    if pairs.dim() != 2 or len(pairs) != 2 or pairs.is_floating_point():
        raise ConfigError(f"pairs are {pairs.dtype} {list(pairs.shape)}. Where: ops.heuristics. Pass integers [2, P].")
    u, v = pairs.long()
    if pairs.numel() and not 0 <= int(pairs.min()) <= int(pairs.max()) < graph.num_nodes:
        raise DataError(f"pairs of nodes {int(pairs.min())} to {int(pairs.max())}, but {graph} has no others")
    code = v * graph.num_nodes + u
    edge = torch.zeros_like(code, dtype=torch.bool)
    if len(codes):
        edge = codes[torch.searchsorted(codes, code).clamp(max=len(codes) - 1)] == code
    return u, v, edge
