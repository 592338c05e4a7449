"""Links and clusters by students of several receptive fields that share what they find.

Zhang et al.: ROD: Reception-aware Online Distillation for Sparse Graphs, KDD 2021; its notebooks for link prediction
and clustering are the only specification. Scores s = z_u·z_v of pairs, in [0, 1], of K students: [M, K, P].

Deviations, of all functions here: every student sees the same pairs in a step; the ensemble is without gradient; scores
become logits by a learnt scale and threshold (as they are, none could say a probability below ½); and a link's score is
the mean over all students (the released code adds the first once and the last K times). A softmax over a batch of pairs
is dropped.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses.pairs import unit


def row_embeddings(x: Tensor) -> Tensor:
    """Rows brought to [0, 1] by their least and largest entry, then to length 1, so that products are in [0, 1].

    >>> row_embeddings(torch.tensor([[1.0, 3.0, 1.0], [2.0, 2.0, 2.0]])).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    spread = high - low
    return unit((x - low) / torch.where(spread > 0, spread, 1.0))


def score_gate(scores: Tensor, slope: Tensor, shift: Tensor) -> Tensor:
    """ŝ = Σ_k softmax_k(σ(a s_k + b)) s_k, without gradient: what all students together think of a pair.

    Shapes: [.., K, P] scores, a and b [..] -> [.., P].

    >>> s = torch.tensor([[[0.2], [0.5], [0.8]]])
    >>> score_gate(s, torch.ones(1), torch.zeros(1))
    tensor([[0.5140]])
    """
    gate = (slope[..., None, None] * scores + shift[..., None, None]).sigmoid().softmax(-2)
    return (gate * scores).sum(-2).detach()


def score_bce(scores: Tensor, y: Tensor, scale: Tensor, threshold: Tensor, weighted: bool = False) -> Tensor:
    """Binary cross-entropy of κ (s − θ), mean over the pairs that have a label, sum over students.

    With `weighted` each pair weighs as much as the student agrees, without gradient: s where the label is 1, 1 − s
    where it is 0. Released: κ = 1, θ = 0.

    Shapes: scores [M, K, P]; y in [0, 1] of [P], [K, P] or [M, 1, P], NaN where there is no label; κ and θ [M] -> [M].

    >>> one = torch.ones(1)
    >>> score_bce(torch.tensor([[[0.5, 0.9]]]), torch.tensor([1.0, torch.nan]), 5 * one, one / 2)
    tensor([0.6931])
    """
    known = ~torch.isnan(y)
    target = torch.where(known, y, 0.0).to(scores.dtype).expand_as(scores)
    logits = scale[:, None, None] * (scores - threshold[:, None, None])
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if weighted:
        agreed = scores.detach()
        loss = loss * (target * agreed + (1 - target) * (1 - agreed))
    return ((loss * known).sum(-1) / known.expand_as(loss).sum(-1).clamp(min=1)).sum(-1)


def score_similarity(scores: Tensor, cosine: Tensor) -> Tensor:
    """Mean over pairs of (s_k − cosine_k)², sum over students; cosine_k of features propagated k times.

    Shapes: [M, K, P] and [K, P] -> [M].

    >>> score_similarity(torch.tensor([[[1.0], [0.5]]]), torch.tensor([[0.0], [0.5]]))
    tensor([1.])
    """
    return (scores - cosine).square().mean(-1).sum(-1)


def cluster_probabilities(distances: Tensor, released: bool = False) -> Tensor:
    """softmax over centres of the negated distances, [.., n, C]; `released`: of the distances, the farthest first.

    >>> cluster_probabilities(torch.tensor([1.0, 2.0, 4.0]))
    tensor([0.7054, 0.2595, 0.0351])
    """
    return (distances if released else -distances).softmax(-1)


def compactness(distances: Tensor, own: Tensor) -> Tensor:
    """Mean over nodes of 2 d_own − mean_c d, sum over students: near the own centre, far from the others.

    Shapes: distances [M, K, n, C] to the centres, own int64 [M, K, n] -> [M].

    >>> compactness(torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[0]]]))
    tensor([0.])
    """
    near = distances.gather(-1, own.unsqueeze(-1)).squeeze(-1)
    return (2 * near - distances.mean(-1)).mean(-1).sum(-1)
