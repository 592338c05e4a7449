"""Entries of functions of a sparse symmetric matrix, some columns at a time: no array [N, N]."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from graphstill.ops.adjacency import Adjacency
from graphstill.ops.weights import EdgeWeights

#: Numbers of the columns that are computed at a time: 16 MB in float64.
BLOCK = 2**21


def entries(nodes: int, rows: Tensor, columns: Tensor, apply: Callable[[Tensor], Tensor]) -> Tensor:
    """f[rows, columns] of a matrix f that `apply` multiplies columns [N, B] with, -> float64 [entries]."""
    found, place = columns.unique(return_inverse=True)
    order = place.argsort(stable=True)
    out = torch.empty(len(rows), dtype=torch.float64, device=rows.device)
    step = max(1, BLOCK // max(nodes, 1))
    cuts = torch.searchsorted(place[order], torch.arange(0, len(found) + step, step, device=rows.device)).tolist()
    for number, (begin, end) in enumerate(pairwise(cuts)):
        some = found[number * step : (number + 1) * step]
        unit = torch.zeros(nodes, len(some), dtype=torch.float64, device=rows.device)
        unit[some, torch.arange(len(some), device=rows.device)] = 1
        mine = order[begin:end]
        out[mine] = apply(unit)[rows[mine], place[mine] - number * step]
    return out


def polynomial(graph: Adjacency, x: Tensor, factors: list[float]) -> Tensor:
    """Σ_k factors_k A^k x, columns [N, B] -> [N, B]."""
    out = factors[-1] * x
    for factor in factors[-2::-1]:
        out = graph.product(graph.ones(x.dtype), out[None])[0] + factor * x
    return out


def inverse(graph: Adjacency, weights: EdgeWeights, scale: float, radius: float, x: Tensor, tolerance: float) -> Tensor:
    """(I − scale · W)^-1 x for symmetric W, by Chebyshev iteration: [N, B] -> [N, B].

    Args:
        radius: bound below 1 on the spectral radius of scale · W. The number of steps follows from it: the error falls
            by radius / (1 + √(1 − radius²)) in each.
        tolerance: the error relative to that of the first step.
    """
    rate = radius / (1 + math.sqrt(1 - radius**2))
    steps = 1 if rate < 1e-12 else max(1, math.ceil(math.log(2 / tolerance) / -math.log(rate)))

    def step(y: Tensor) -> Tensor:
        return graph.product(weights, y[None], scale)[0].add_(x)

    before, now, omega = x, step(x), 1.0
    for k in range(1, steps):
        omega = 1 / (1 - radius**2 * (0.5 if k == 1 else omega / 4))
        before, now = now, step(now).sub_(before).mul_(omega).add_(before)
    return now


def spectral_bounds(graph: Adjacency, precision: float = 1e-3, most: int = 1000) -> tuple[float, float]:
    """Bounds below and above on the largest eigenvalue of the symmetric 0/1 matrix of a graph.

    Power iteration on A + I: below by the Rayleigh quotient, above by the largest (Ax)_i / x_i (Collatz, Wielandt).
    Stops where the bounds are `precision` apart, relatively, or after `most` steps.
    """
    x = torch.ones(graph.num_nodes, 1, dtype=torch.float64, device=graph.device)
    low = high = 0.0
    for _ in range(most if graph.num_edges else 0):
        product = graph.product(graph.ones(x.dtype), x[None])[0]
        # A part that has all but vanished beside another grows more slowly: its bound is no larger.
        seen = x > 1e-200
        low, high = float((x * product).sum() / x.square().sum()), float((product / x)[seen].max())
        if high - low <= precision * high:
            break
        x = (x + product) / (x + product).max()
    return low, high
