"""Contrastive losses between the nodes of two networks; embeddings have length 1."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses.pairs import of_members, sum_over_rows


def info_nce(target: Tensor, student: Tensor, temperature: float) -> Tensor:
    """−log softmax_j(u_i·v_j / τ) at j = i, mean over nodes: each student node finds its own teacher node.

    Shapes: target v [M or 1, n, W], student u [M, n, W] -> [M]. Scores [n, n] are made in blocks.

    >>> u = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    >>> info_nce(u, u, temperature=0.1)  # two nodes alike: log 2
    tensor([0.6931])
    """
    members, n = student.shape[:2]

    def term(some: slice, rows: slice) -> Tensor:
        u, v = of_members(student, some)[:, rows], of_members(target, some)
        return (u @ v.transpose(1, 2) / temperature).logsumexp(-1).sum(-1)

    own = (student * target).sum((1, 2)) / temperature
    return (sum_over_rows(term, members, n, n) - own) / n


def log_normaliser(anchor: Tensor, noise: Tensor, nodes: int, temperature: float) -> Tensor:
    """log Z, Z = `nodes` · mean exp(anchor · noise / τ): [M, B, W] and [M, K, W] -> [M].

    >>> log_normaliser(torch.zeros(1, 2, 3), torch.zeros(1, 4, 3), nodes=5, temperature=0.1)  # log 5
    tensor([1.6094])
    """
    # Member by member: [B, K] is enough memory.
    means = [
        (a @ k.T / temperature).flatten().logsumexp(0) - math.log(len(a) * len(k))
        for a, k in zip(anchor, noise, strict=True)
    ]
    return torch.stack(means) + math.log(nodes)


def noise_contrastive(
    anchor: Tensor, positive: Tensor, noise: Tensor, log_z: Tensor, nodes: int, temperature: float
) -> Tensor:
    """Tells the one true partner of each anchor from K noise samples; mean over anchors, sum over noise.

    With P(x) = exp(anchor · x / τ) / Z and c = K / nodes: −log P⁺/(P⁺ + c) − Σ_k log c/(P⁻_k + c). Tian, Krishnan,
    Isola: Contrastive Representation Distillation, ICLR 2020, section 3.

    Shapes: anchor and positive [M, B, W], noise [M, K, W] (shared by the anchors), log_z [M] -> [M].

    >>> u = torch.zeros(1, 1, 2)
    >>> noise_contrastive(u, u, u, torch.zeros(1), nodes=1, temperature=0.1)  # nothing tells them apart: 2 log 2
    tensor([1.3863])
    """
    members, count = anchor.shape[:2]
    # log P − log c, and its negative, through softplus: no overflow, and no ε to keep it from dividing by zero.
    offset = log_z + math.log(noise.shape[1] / nodes)

    def term(some: slice, rows: slice) -> Tensor:
        a = anchor[some, rows]
        near = (a * positive[some, rows]).sum(-1) / temperature - offset[some, None]
        far = a @ noise[some].transpose(1, 2) / temperature - offset[some, None, None]
        return F.softplus(-near).sum(-1) + F.softplus(far).sum((1, 2))

    return sum_over_rows(term, members, count, noise.shape[1]) / count
