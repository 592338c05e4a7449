"""Losses as their authors write them: the ends of every edge gathered, every pair of nodes in one matrix."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch_geometric.utils import softmax


def edge_log_structure(x: Tensor, edges: Tensor, kernel: str) -> Tensor:
    """Log of the softmax over a node's neighbours of their similarity, from differences [edges, width]."""
    difference = x[edges[0]] - x[edges[1]]
    if kernel == "laplace":
        similarity = (-difference.abs().sum(-1) / 100).exp()
    else:
        squared = difference.square().sum(-1)
        scaled = -squared / (2 * squared.mean())
        similarity = scaled.exp() if kernel == "rbf" else scaled
    return (softmax(similarity, edges[1], num_nodes=len(x)) + 1e-16).log()


def local_structure(student: Tensor, target: Tensor, edges: Tensor, kernel: str) -> Tensor:
    """LSP."""
    log_p = edge_log_structure(student, edges, kernel)
    with torch.no_grad():
        log_q = edge_log_structure(target, edges, kernel)
    return (log_q.exp() * (log_q - log_p)).sum() / len(student)


def info_nce(student: Tensor, target: Tensor, temperature: float) -> Tensor:
    """G-CRD: all scores at once."""
    scores = student @ target.t() / temperature
    return F.cross_entropy(scores, torch.arange(len(scores)))


def kernel_matching(student: Tensor, target: Tensor, adjacency: Tensor, delta: float) -> Tensor:
    """GKD with a heat kernel: matrices over all pairs of nodes, and dense weights of the edges."""

    def kernel(x: Tensor) -> Tensor:
        return (-torch.cdist(x, x)).exp()

    weights = delta + (1 - delta) * adjacency
    return (weights * (kernel(target) - kernel(student)).square()).sum()


def edge_scores(u: Tensor, weight: Tensor, edges: Tensor) -> Tensor:
    """GraphAKD's identifier of edges."""
    return (u[edges[0]] * weight * u[edges[1]]).sum(-1)
