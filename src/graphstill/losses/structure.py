"""Local structure: for each node, the distribution of its similarity to its neighbours.

Yang et al., Distilling Knowledge from Graph Convolutional Networks, CVPR 2020 (LSP), section 3; the same quantity is
used by Alignahead (IJCNN 2022). Every similarity costs memory O(edges + nodes · width): differences are never
materialised as [edges, width].
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from graphstill.ops import (
    Adjacency,
    edge_cosine,
    edge_dot,
    edge_l1_distance,
    edge_log_softmax,
    edge_squared_distance,
)

Kernel = Literal["rbf", "linear", "poly", "euclidean", "l2", "cosine", "laplace", "negative_euclidean", "negative_l2"]
KERNELS: tuple[str, ...] = get_args(Kernel)
Bandwidth = float | Literal["mean", "median"]


def _scale(distance: Tensor, bandwidth: Bandwidth) -> Tensor | float:
    """The distance that counts as one, for each member: [M, E] -> [M, 1], or the number given.

    The gradient flows through it, so that a similarity is exactly invariant to the scale of the features. Held
    constant instead, it leaves a force along that scale which no change of scale can satisfy: students that teach each
    other shrank their features to nothing.
    """
    if not isinstance(bandwidth, str):
        return float(bandwidth)
    if bandwidth == "mean":
        return distance.mean(-1, keepdim=True).clamp(min=1e-12)
    positive = torch.where(distance > 0, distance, torch.nan)
    return positive.nanmedian(-1, keepdim=True).values.nan_to_num(1.0).clamp(min=1e-12)


def edge_similarity(graph: Adjacency, x: Tensor, kernel: Kernel, bandwidth: Bandwidth = "mean") -> Tensor:
    """SIM(h_i, h_j) for every edge.

    Shapes: x [M, N, D] -> [M, E] in the order of `graph`.

    * ``rbf``: exp(−‖a−b‖² / (2σ²)); ``laplace``: exp(−‖a−b‖₁ / σ), the kernel of the authors' released code (σ = 100).
    * ``linear``: a·b; ``poly``: (a·b)²; ``cosine``.
    * ``euclidean``: ‖a−b‖² and ``l2``: ‖a−b‖ used as a similarity without a minus sign, as the paper writes them;
      ``negative_euclidean``, ``negative_l2``: −‖a−b‖² / (2σ²) and −‖a−b‖ / σ, which rank neighbours the way a
      similarity should and do not saturate.

    ``bandwidth`` is σ: a number, or "mean" or "median", which take from the data, for each member and call, the mean
    or median distance over edges (for the kernels of the squared distance: σ² = the mean or median of ‖a−b‖²). The
    gradient flows through it: multiplying all features by a number changes nothing.

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> h = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> edge_similarity(one, h, "linear"), edge_similarity(one, h, "laplace", bandwidth=4.0)  # 11, 1/e
    (tensor([[11.]]), tensor([[0.3679]]))
    """
    if kernel == "linear":
        return edge_dot(graph, x)
    if kernel == "poly":
        return edge_dot(graph, x).square()
    if kernel == "cosine":
        return edge_cosine(graph, x)
    if kernel == "laplace":
        d = edge_l1_distance(graph, x)
        return (-d / _scale(d, bandwidth)).exp()
    d2 = edge_squared_distance(graph, x)
    if kernel == "euclidean":
        return d2
    if kernel in ("l2", "negative_l2"):
        # The floor keeps the square root's gradient finite for coinciding features.
        d = d2.clamp(min=1e-12).sqrt()
        if kernel == "l2":
            return d
        return -d / _scale(d, bandwidth)
    variance = _scale(d2, bandwidth) if isinstance(bandwidth, str) else float(bandwidth) ** 2
    scaled = -d2 / (2 * variance)
    return scaled.exp() if kernel == "rbf" else scaled


def local_structure_kl(
    graph: Adjacency, target: Tensor, student: Tensor, direction: Literal["target", "student"] = "target"
) -> Tensor:
    """KL between the neighbour distributions softmax(SIM), mean over nodes with at least one incoming edge.

    Shapes: target [M or 1, E], student [M, E] similarities in the order of `graph` -> [M]. ``direction="target"`` is
    KL(target ‖ student), the library's convention; ``"student"`` is KL(student ‖ target), as the LSP paper writes it.

    >>> two = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)  # 1 -> 0 and 2 -> 0
    >>> local_structure_kl(two, torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log())  # 1/2 log 4/3
    tensor([0.1438])
    """
    log_q = edge_log_softmax(graph, target)
    log_p = edge_log_softmax(graph, student)
    terms = log_q.exp() * (log_q - log_p) if direction == "target" else log_p.exp() * (log_p - log_q)
    nodes = (graph.degree() > 0).sum().clamp(min=1)
    return terms.sum(-1) / nodes
