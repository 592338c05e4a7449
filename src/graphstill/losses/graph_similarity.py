"""Graphs instead of nodes: what MuGSI compares at the scale of a graph, of its clusters and of its paths.

Yao et al.: MuGSI: Distilling GNNs with Multi-Granularity Structural Information for Graph Classification, WWW 2024,
section 4. Widths of teacher and student may differ in the last two.
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.losses.pairs import unit
from graphstill.ops import Adjacency, edge_dot


def graph_distance(target: Tensor, student: Tensor) -> Tensor:
    """Mean over graphs and dimensions of (u(g^s) − u(g^t))², u: to length 1; 2/d times the mean of 1 − cos.

    Shapes: embeddings of graphs [M or 1, G, D] and [M, G, D] (project one where widths differ) -> [M].

    >>> graph_distance(torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[3.0, 4.0]]]))
    tensor([0.2000])
    """
    return (unit(student) - unit(target)).square().mean((1, 2))


def cluster_distance(pairs: Adjacency, target: Tensor, student: Tensor, graphs: int | Tensor) -> Tensor:
    """½ ‖C^s_g − C^t_g‖² of the matrices of cosines between a graph's clusters, sum over graphs / `graphs`.

    Deviation: clusters are pooled by their mean (`Groups.mean`), to a cosine the same as a sum; the released code uses
    each network's readout, with statistics of single graphs where that has batch normalisation.

    Args:
        pairs: `Clusters.pairs`: graphs with one or two clusters add nothing.
        target, student: embeddings of clusters [M or 1, K, D_t] and [M, K, D_s].
        graphs: by how many the sum is divided. Here: those that have the term; released: all of the batch.

    Returns:
        [M].

    >>> three = Adjacency.from_edge_index(torch.cartesian_prod(torch.arange(3), torch.arange(3)).T, 3)
    >>> round(cluster_distance(three, torch.ones(1, 3, 2), torch.eye(3)[None], 1).item(), 4)
    3.0
    """
    difference = edge_dot(pairs, unit(student)) - edge_dot(pairs, unit(target))
    count = torch.as_tensor(graphs, device=student.device).clamp(min=1)
    return difference.square().sum(-1) / (2 * count)


def path_kl(target: Tensor, student: Tensor, walks: Tensor, kept: Tensor) -> Tensor:
    """KL(q^t ‖ q^s) along walks, q_w = softmax over its steps j of ⟨h_w0, h_wj⟩; mean over walks, then over graphs.

    The KL is summed over a walk's steps. Deviation: a graph's mean is over the walks that it has, and the mean of
    graphs over those that have one; the released code drops a graph in which one start has no neighbour, but counts it.

    Args:
        target, student: features of nodes [M or 1, N, D_t] and [M, N, D_s].
        walks, kept: int64 [G, W, L + 1] and bool [G, W], of `ops.walks_of_graphs`.

    Returns:
        [M].

    >>> h = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]]])
    >>> path_kl(h, torch.zeros_like(h), torch.tensor([[[0, 1, 2]]]), torch.tensor([[True]]))
    tensor([0.3278])
    """
    log_q, log_p = _along(target, walks), _along(student, walks)
    each = (log_q.exp() * (log_q - log_p)).sum(-1) * kept
    count = kept.sum(-1)
    return (each.sum(-1) / count.clamp(min=1)).sum(-1) / (count > 0).sum().clamp(min=1)


def _along(h: Tensor, walks: Tensor) -> Tensor:
    """log softmax of the products with the start, [M, N, D] -> [M, G, W, L]."""
    met = h.index_select(1, walks.flatten()).view(len(h), *walks.shape, -1)
    return (met[..., :1, :] * met[..., 1:, :]).sum(-1).log_softmax(-1)
