"""Kernel matrices of teacher and student over all pairs of nodes, compared without keeping such a matrix."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from graphstill.losses.pairs import root, squared_distances, unit
from graphstill.ops import Adjacency, edge_dot, edge_squared_distance

PairKernel = Literal["cosine", "poly", "l2", "rbf", "exponential", "sigmoid"]
PAIR_KERNELS: tuple[str, ...] = get_args(PairKernel)
PairScale = float | Literal["data"]
#: Kernels of inner products; the others are of squared distances.
PRODUCTS = ("cosine", "poly", "sigmoid")
#: Pairs that are looked at at a time: half a megabyte in float32, of which a few arrays stay in the second cache.
BLOCK = 2**17


def for_kernel(kernel: PairKernel, x: Tensor, scale: PairScale = "data") -> Tensor:
    """Features [M, N, D] in which the kernel is free of parameters.

    * ``cosine`` and ``poly`` = cosine²: rows of length 1; ``scale`` plays no part.
    * ``l2``: ‖a−b‖ / scale; ``exponential``: exp(−‖a−b‖ / scale); ``rbf``: exp(−‖a−b‖² / (2 scale²)). ``"data"`` is the
      root of the mean squared distance over all pairs, of each member.
    * ``sigmoid``: tanh(a·b / scale²). ``"data"`` is the root of the mean squared length.

    The gradient flows through a scale from the data: multiplying all features by a number changes nothing.

    >>> for_kernel("cosine", torch.tensor([[[3.0, 4.0]]]))
    tensor([[[0.6000, 0.8000]]])
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
    """The kernel of features from `for_kernel`, [.., n, D] and [.., m, D] -> [.., n, m].

    >>> of_pairs("exponential", torch.zeros(1, 1, 1), torch.tensor([[[0.0], [1.0]]]))  # 1, 1/e
    tensor([[[1.0000, 0.3679]]])
    """
    return _with_slope(kernel, a, b)[0]


def of_edges(kernel: PairKernel, graph: Adjacency, x: Tensor) -> Tensor:
    """The kernel of features from `for_kernel` at the edges, [M, N, D] -> [M, E].

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> of_edges("cosine", one, torch.tensor([[[0.6, 0.8], [1.0, 0.0]]]))
    tensor([[0.6000]])
    """
    if kernel in PRODUCTS:
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

    Shapes: features from `for_kernel`, [M or 1, N, D_t] and [M, N, D_s]; rows int64 [M, R]. Time O(R N D). The target
    is held constant.

    >>> t, s = torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    >>> pair_distance("cosine", t, s)  # two of four products differ, by 1
    tensor([2.])
    """
    target = target.detach()
    target_rows, student_rows = (target, student) if rows is None else (take(target, rows), take(student, rows))
    out: Tensor = _PairDistance.apply(kernel, target_rows, target, student_rows, student)
    return out


class _PairDistance(torch.autograd.Function):
    """The gradient is made along with the sum: a block of pairs is looked at once, while it is in the caches."""

    @staticmethod
    def forward(
        ctx: Any, kernel: PairKernel, target_rows: Tensor, target: Tensor, student_rows: Tensor, student: Tensor
    ) -> Tensor:
        total, step = student.new_zeros(len(student)), max(1, BLOCK // max(1, student.shape[1]))
        wanted = any(ctx.needs_input_grad)
        grad_rows, grad = (torch.zeros_like(x) for x in (student_rows, student))
        for m, (own_rows, own) in enumerate(zip(student_rows, student, strict=True)):
            t_rows, t = target_rows[m % len(target_rows)], target[m % len(target)]
            if kernel == "rbf":
                total[m], grad_rows[m], grad[m] = _rbf(t_rows, t, own_rows, own, step)
                continue
            for block in (slice(i, i + step) for i in range(0, len(own_rows), step)):
                s, slope = _with_slope(kernel, own_rows[block], own)
                difference = s - of_pairs(kernel, t_rows[block], t)
                total[m] += difference.square().sum()
                if not wanted:
                    continue
                pull = difference.mul_(slope).mul_(2)
                if kernel in PRODUCTS:
                    grad_rows[m, block] = pull @ own
                    grad[m].addmm_(pull.t(), own_rows[block])
                else:
                    # Of |a|² + |b|² − 2 a·b.
                    grad_rows[m, block] = 2 * (pull.sum(1, keepdim=True) * own_rows[block] - pull @ own)
                    grad[m].addmm_(pull.t(), own_rows[block], alpha=-2).addcmul_(pull.sum(0)[:, None], own, value=2)
        ctx.save_for_backward(grad_rows, grad)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        grad_rows, grad = ctx.saved_tensors
        factor = grads[0][:, None, None]
        return None, None, None, factor * grad_rows, factor * grad


def _rbf(t_rows: Tensor, t: Tensor, s_rows: Tensor, s: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Σ (exp(−d_t²/2) − exp(−d_s²/2))², and its gradients by `s_rows` and `s`, in a third of the passes over pairs.

    Lengths ride along in the products, as two more columns, and so do the sums over rows and columns of pairs. There is
    no division by a distance, so that pairs which nearly coincide need no care.
    """
    total, one = s.new_zeros(()), s.new_ones(len(s), 1)
    left_t, right_t, left_s, right_s = _sides(t_rows)[0], _sides(t)[1], _sides(s_rows)[0], _sides(s)[1]
    grad_rows, own, back = torch.empty_like(s_rows), torch.cat([s, one], 1), s.new_zeros(len(s), s.shape[1] + 1)
    for block in (slice(i, i + step) for i in range(0, len(s_rows), step)):
        value = (left_s[block] @ right_s.t()).clamp_(max=0).exp_()
        pull = (left_t[block] @ right_t.t()).clamp_(max=0).exp_().sub_(value)
        flat = pull.view(-1)
        total += flat.dot(flat)
        # 2 (k_s − k_t) times the slope −k_s / 2 of the student's kernel.
        pull.mul_(value)
        rows, weighted = s_rows[block], pull @ own
        grad_rows[block] = 2 * (weighted[:, -1:] * rows - weighted[:, :-1])
        back.addmm_(pull.t(), torch.cat([rows, one[: len(rows)]], 1))
    return total, grad_rows, 2 * (back[:, -1:] * s - back[:, :-1])


def _sides(x: Tensor) -> tuple[Tensor, Tensor]:
    """What is to stand left and right of a product for its numbers to be −|x − y|²/2."""
    one, half = torch.ones_like(x[:, :1]), x.square().sum(1, keepdim=True) / -2
    return torch.cat([one, x, half], 1), torch.cat([half, x, one], 1)


def _with_slope(kernel: PairKernel, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The kernel of `of_pairs`, and its derivative by the product or the squared distance of two rows."""
    if kernel in PRODUCTS:
        products = a @ b.mT
        if kernel == "sigmoid":
            value = products.tanh()
            return value, 1 - value.square()
        return (products.square(), 2 * products) if kernel == "poly" else (products, torch.ones_like(products))
    squared = squared_distances(a, b)
    apart = squared > 0
    if kernel == "rbf":
        value = (squared / -2).exp_()
        return value, value * apart * -0.5
    distances = squared.sqrt_()
    # 0 where two rows coincide, as in `root`.
    inverse = torch.where(apart, distances, torch.inf).reciprocal_().mul_(0.5)
    if kernel == "l2":
        return distances, inverse
    value = distances.neg_().exp_()
    return value, inverse.mul_(value).neg_()


def gram_distance(target: Tensor, student: Tensor) -> Tensor:
    """‖A Aᵀ − B Bᵀ‖² over all pairs of rows, from products of columns: O(n D²), and no array [n, n].

    Shapes: A [M or 1, n, D_t], B [M, n, D_s] -> [M].

    >>> t, s = torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    >>> gram_distance(t, s)  # two of four products differ, by 1
    tensor([2.])
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

    >>> t, s = torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> kernel_matching("cosine", t, s, one, delta=0.25)  # the pair with an edge 1, the one without 1/4
    tensor([1.2500])
    """
    edges = (of_edges(kernel, graph, target) - of_edges(kernel, graph, student)).square().sum(-1)
    share = 1.0 if rows is None else rows.shape[1] / student.shape[1]
    return delta / share * pair_distance(kernel, target, student, rows) + (1 - delta) * edges


def product_matching(target: Tensor, student: Tensor, graph: Adjacency, delta: float) -> Tensor:
    """`kernel_matching` for K_ij = a_i·a_j, exact over all pairs by products of columns; -> [M].

    >>> t, s = torch.eye(2)[None], torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> product_matching(t, s, one, delta=0.25)  # the pair with an edge 1, the one without 1/4
    tensor([1.2500])
    """
    edges = (edge_dot(graph, target) - edge_dot(graph, student)).square().sum(-1)
    return delta * gram_distance(target, student) + (1 - delta) * edges


def relu_features(x: Tensor, directions: Tensor, scale: PairScale = "data") -> Tensor:
    """ReLU(x W) / √F, whose inner products are those of an arc-cosine kernel in the mean over Gaussian W.

    Shapes: x [M or 1, N, D], W [M, D, F] -> [M, N, F]. Inner products are multiplied by `scale`; "data" divides them by
    the mean squared length of x, of each member, gradient included.

    >>> relu_features(torch.tensor([[[1.0, -1.0]]]), torch.eye(2)[None], scale=1.0)
    tensor([[[0.7071, 0.0000]]])
    """
    if scale == "data":
        squared = x.square().sum(-1).mean(-1)[:, None, None]
        x = x * torch.where(squared > 0, squared, 1.0).rsqrt()
    else:
        x = x * math.sqrt(scale)
    return (x @ directions).relu() / math.sqrt(directions.shape[-1])


def take(x: Tensor, rows: Tensor | None) -> Tensor:
    """Rows of x [M or 1, N, D] for each member, rows int64 [M, R] -> [M, R, D]; x itself where rows is None.

    >>> take(torch.tensor([[[0.0], [1.0], [2.0]]]), torch.tensor([[2, 0]])).flatten()
    tensor([2., 0.])
    """
    if rows is None:
        return x
    return torch.stack([x[m % len(x)].index_select(0, chosen) for m, chosen in enumerate(rows)])
