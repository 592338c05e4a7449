"""Kernel matrices of teacher and student over all pairs of nodes, compared without keeping such a matrix."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from graphstill.losses.pairs import of_members, root, squared_distances, sum_over_rows, unit
from graphstill.ops import Adjacency, edge_dot, edge_squared_distance

PairKernel = Literal["cosine", "poly", "l2", "rbf", "exponential", "sigmoid"]
PAIR_KERNELS: tuple[str, ...] = get_args(PairKernel)
PairScale = float | Literal["data"]


def for_kernel(kernel: PairKernel, x: Tensor, scale: PairScale = "data") -> Tensor:
    """Features [M, N, D] in which the kernel is free of parameters.

    * ``cosine`` and ``poly`` = cosine²: rows of length 1; ``scale`` plays no part.
    * ``l2``: ‖a−b‖ / scale; ``exponential``: exp(−‖a−b‖ / scale); ``rbf``: exp(−‖a−b‖² / (2 scale²)). ``"data"`` is the
      root of the mean squared distance over all pairs, of each member.
    * ``sigmoid``: tanh(a·b / scale²). ``"data"`` is the root of the mean squared length.

    The gradient flows through a scale from the data: multiplying all features by a number changes nothing.
    """
    if kernel in ("cosine", "poly"):
        return unit(x)
    if kernel != "sigmoid":
        x = x - x.mean(1, keepdim=True)
    if scale != "data":
        return x / scale
    mean = x.square().sum(-1).mean(-1)
    # Of centred features the mean squared distance over all pairs is twice the mean squared length.
    squared = mean if kernel == "sigmoid" else 2 * mean
    return x * torch.where(squared > 0, squared, 1.0).rsqrt()[:, None, None]


def of_pairs(kernel: PairKernel, a: Tensor, b: Tensor) -> Tensor:
    """The kernel of features from `for_kernel`, [M, n, D] and [M, m, D] -> [M, n, m]."""
    if kernel in ("cosine", "poly", "sigmoid"):
        return _of_products(kernel, a @ b.transpose(1, 2))
    return _of_distances(kernel, squared_distances(a, b))


def of_edges(kernel: PairKernel, graph: Adjacency, x: Tensor) -> Tensor:
    """The kernel of features from `for_kernel` at the edges, [M, N, D] -> [M, E]."""
    if kernel in ("cosine", "poly", "sigmoid"):
        return _of_products(kernel, edge_dot(graph, x))
    return _of_distances(kernel, edge_squared_distance(graph, x))


def _of_products(kernel: PairKernel, products: Tensor) -> Tensor:
    if kernel == "sigmoid":
        return products.tanh()
    return products.square() if kernel == "poly" else products


def _of_distances(kernel: PairKernel, squared: Tensor) -> Tensor:
    if kernel == "rbf":
        return (-squared / 2).exp()
    distances = root(squared)
    return (-distances).exp() if kernel == "exponential" else distances


def pair_distance(kernel: PairKernel, target: Tensor, student: Tensor, rows: Tensor | None = None) -> Tensor:
    """Σ_ij (K^t_ij − K^s_ij)² over all columns j and the given rows i (all where None), in blocks of rows; -> [M].

    Shapes: features from `for_kernel`, [M or 1, N, D_t] and [M, N, D_s]; rows int64 [M, R]. Time O(R N D).
    """
    members, nodes = student.shape[:2]
    target_rows, student_rows = (target, student) if rows is None else (take(target, rows), take(student, rows))

    def term(some: slice, block: slice) -> Tensor:
        t = of_pairs(kernel, of_members(target_rows, some)[:, block], of_members(target, some))
        s = of_pairs(kernel, student_rows[some, block], student[some])
        return (t - s).square().sum((1, 2))

    return sum_over_rows(term, members, student_rows.shape[1], nodes)


def gram_distance(target: Tensor, student: Tensor) -> Tensor:
    """‖A Aᵀ − B Bᵀ‖² over all pairs of rows, from products of columns: O(n D²), and no array [n, n].

    Shapes: A [M or 1, n, D_t], B [M, n, D_s] -> [M].
    """

    def squares(a: Tensor, b: Tensor) -> Tensor:
        return (a.transpose(1, 2) @ b).square().sum((1, 2))

    return squares(target, target) + squares(student, student) - 2 * squares(student, target)


def kernel_matching(
    kernel: PairKernel, target: Tensor, student: Tensor, graph: Adjacency, delta: float, rows: Tensor | None = None
) -> Tensor:
    """Σ_ij W_ij (K^t_ij − K^s_ij)², W_ij = 1 at the edges of `graph` and `delta` elsewhere; -> [M].

    Shapes as in `pair_distance`. Give the graph its self-loops to count the diagonal among the edges. Where rows are
    given, the sum off the edges is estimated from them, without bias if they were drawn evenly.
    """
    edges = (of_edges(kernel, graph, target) - of_edges(kernel, graph, student)).square().sum(-1)
    share = 1.0 if rows is None else rows.shape[1] / student.shape[1]
    return delta / share * pair_distance(kernel, target, student, rows) + (1 - delta) * edges


def product_matching(target: Tensor, student: Tensor, graph: Adjacency, delta: float) -> Tensor:
    """`kernel_matching` for K_ij = a_i·a_j, exact over all pairs by products of columns; -> [M]."""
    edges = (edge_dot(graph, target) - edge_dot(graph, student)).square().sum(-1)
    return delta * gram_distance(target, student) + (1 - delta) * edges


def relu_features(x: Tensor, directions: Tensor, scale: PairScale = "data") -> Tensor:
    """ReLU(x W) / √F, whose inner products are those of an arc-cosine kernel in the mean over Gaussian W.

    Shapes: x [M or 1, N, D], W [M, D, F] -> [M, N, F]. Inner products are multiplied by `scale`; "data" divides them by
    the mean squared length of x, of each member, gradient included.
    """
    if scale == "data":
        squared = x.square().sum(-1).mean(-1)[:, None, None]
        x = x * torch.where(squared > 0, squared, 1.0).rsqrt()
    else:
        x = x * math.sqrt(scale)
    return (x @ directions).relu() / math.sqrt(directions.shape[-1])


def take(x: Tensor, rows: Tensor | None) -> Tensor:
    """Rows of x [M or 1, N, D] for each member, rows int64 [M, R] -> [M, R, D]; x itself where rows is None."""
    if rows is None:
        return x
    return torch.stack([x[m % len(x)].index_select(0, chosen) for m, chosen in enumerate(rows)])
