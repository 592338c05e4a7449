"""Squared distances of features and of their averages over ever larger surroundings."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from graphstill.ops import Adjacency, spmm


def image_context(target: Tensor, student: Tensor) -> Tensor:
    """Mean of (target − student)² over maps, and over their averages in 4 x 4, 2 x 2 and 1 x 1 parts.

    Chen, Liu, Zhao, Jia: Distilling Knowledge via Knowledge Review, CVPR 2021, section 3.4. The maps count 1, the
    averages ½, ¼ and ⅛, halved from one to the next that is smaller than the maps' height; divided by the sum of the
    weights used. Of maps of 1 x 1 the mean squared distance is all there is.

    Shapes: maps [M or 1, N, C, H, W] and [M, N, C, H, W] -> [M].

    >>> maps = torch.zeros(1, 1, 1, 8, 8)
    >>> image_context(maps, maps + 2)
    tensor([4.])
    """
    # Averaging is linear: that of the difference is the difference of the averages.
    difference = student - target
    each = difference.flatten(0, 1)
    sizes = [size for size in (4, 2, 1) if size < difference.shape[3]]
    pooled = [F.adaptive_avg_pool2d(each, size).unflatten(0, difference.shape[:2]) for size in sizes]
    return _halved([difference, *pooled])


def graph_context(target: Tensor, student: Tensor, graph: Adjacency) -> Tensor:
    """Mean of (target − student)² over nodes, their averages over one hop, over two hops, and over all nodes.

    The counterpart on graphs of `image_context`, with weights 1, ½, ¼, ⅛ over their sum. A hop is the mean over a node
    and its neighbours, so that a constant stays what it is.

    Shapes: [M or 1, N, D] and [M, N, D] -> [M].

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> h = torch.zeros(1, 2, 3)
    >>> graph_context(h, h + 2, one)  # averages of a constant are the constant
    tensor([4.])
    """
    around = graph.with_self_loops()
    levels = [student - target]
    for _ in range(2):
        levels.append(spmm(around, around.mean_weights(student.dtype), levels[-1]))
    return _halved([*levels, levels[0].mean(1, keepdim=True)])


def _halved(levels: Sequence[Tensor]) -> Tensor:
    """Mean squares of the levels, the first counting 1 and each other half of the one before, over their sum; [M]."""
    weights = [0.5**i for i in range(len(levels))]
    squares = [w * x.square().flatten(1).mean(1) for w, x in zip(weights, levels, strict=True)]
    return sum(squares[1:], squares[0]) / sum(weights)
