"""The two steps of a plan that look at the graph. Both mirror :mod:`graphstill.nn`, and so PyG."""

from __future__ import annotations

import numpy as np

from graphstill.runtime.area import Area
from graphstill.runtime.jagged import Floats


def propagate(area: Area, h: Floats, rows: int, norm: str, self_loops: bool) -> Floats:
    """``out[i]`` = sum over the edges j -> i of ``w h[j]``, for the first ``rows`` nodes.

    ``w`` is ``1 / sqrt(d_j d_i)`` for "gcn" (Kipf and Welling 2017), ``1 / d_i`` for "mean", 1 for "sum"; d is the
    number of edges into a node. With ``self_loops`` each node has exactly one. The weights are split into one factor
    a node before and one after the sum, which spares a product an edge.

    Shapes:
        h: ``[at least the nodes one hop further, width]``; returns ``[rows, width]``.
    """
    if norm == "gcn":
        h = h * area.scale("gcn", self_loops)[: len(h)]
    jagged = area.jagged(rows, self_loops)
    out = jagged.sum(h).take(jagged.place, 0)
    if self_loops:
        out += h[:rows]
    if norm != "sum":
        out *= area.scale(norm, self_loops)[:rows]
    return out


def attend(area: Area, h: Floats, source: Floats, target: Floats, rows: int, slope: float, self_loops: bool) -> Floats:
    """``out[i]`` = sum over the edges j -> i of ``alpha h[j]`` for each head (Velickovic et al. 2018).

    ``alpha`` is the softmax, over the edges into i, of ``leaky_relu(source[j] + target[i])``. With ``self_loops`` each
    node has exactly one; a node without any edge gets 0.

    Shapes:
        h: ``[nodes, heads * width]``; source, target: ``[nodes, heads]``; returns ``[rows, heads * width]``.
    """
    jagged = area.jagged(rows, self_loops)
    heads = source.shape[1]
    order = jagged.order
    score = _leaky(source.take(jagged.index, 0) + target.take(jagged.row, 0), slope)
    if self_loops:
        own = _leaky(source.take(order, 0) + target.take(order, 0), slope)
        top = own.copy()
    else:
        top = np.full((rows, heads), -np.inf, np.float32)
    total = jagged.softmax(score, top)
    out = jagged.sum(h, score)
    if self_loops:
        share = np.exp(own - top)
        total += share
        out += h.take(order, 0) * share.repeat(h.shape[1] // heads, 1)
    total[total == 0] = 1.0
    out /= total.repeat(h.shape[1] // heads, 1)
    return out.take(jagged.place, 0)


def _leaky(x: Floats, slope: float) -> Floats:
    """For slopes up to 1."""
    return np.maximum(x, np.float32(slope) * x)
