"""Several classifiers on one trunk: what they learn from their mean, and from how similar nodes are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses.pairs import unit


def own_ensemble_kl(heads: Tensor, multi_label: bool = False) -> Tensor:
    """Sum over heads of KL(q ‖ p_k), where q = mean over heads of p_k, without gradient; mean over nodes.

    p_k is the softmax of a head's logits, or, where nodes have several labels, a probability for each label, whose KLs
    are summed.

    Shapes: logits [M, H, n, C] -> [M].

    >>> heads = torch.tensor([[[[3.0, 1.0]], [[1.0, 3.0]]]]).log()  # 3/4, 1/4 and 1/4, 3/4
    >>> own_ensemble_kl(heads)  # twice 1/2 log 4/3
    tensor([0.2877])
    """
    if multi_label:
        return _kl_to_mean(F.logsigmoid(heads)) + _kl_to_mean(F.logsigmoid(-heads))
    return _kl_to_mean(heads.log_softmax(-1))


def _kl_to_mean(log_p: Tensor) -> Tensor:
    q = log_p.detach().exp().mean(1, keepdim=True)
    log_q = q.clamp(min=torch.finfo(q.dtype).tiny).log()
    return (q * (log_q - log_p)).sum((1, 3)).mean(-1)


def pair_cosines(heads: Tensor, pairs: Tensor) -> Tensor:
    """Cosine of two nodes' logits, for pairs of nodes of each head.

    Shapes: logits [M, H, N, C], pairs int64 [2, M or 1, H, P] -> [M, H, P]. A node with logits of 0 has cosine 0.

    >>> heads, pairs = torch.tensor([[[[3.0, 4.0], [4.0, 3.0]]]]), torch.tensor([[[[0]]], [[[1]]]])
    >>> pair_cosines(heads, pairs)
    tensor([[[0.9600]]])
    """
    members, count, nodes, classes = heads.shape
    # Classes in front: rows of a handful of numbers are slow to gather, and slower to add to.
    units = unit(heads).permute(3, 0, 1, 2).reshape(classes, -1)
    shift = torch.arange(members * count, device=heads.device).view(members, count, 1) * nodes
    first, second = (units.index_select(1, (side + shift).flatten()) for side in pairs)
    return (first * second).sum(0).view(members, count, -1)


def similarity_bce(cosine: Tensor, similar: bool) -> Tensor:
    """Binary cross-entropy of a cosine, taken as a logit, with the target `similar`, weighted by how right it is.

    The weight is the cosine for similar pairs, 1 − cosine for others, without gradient. So a similar pair with a
    negative cosine is driven further apart: the heads' own judgement counts.

    Shapes: cosine [..., P] -> [...], mean over pairs.

    >>> similarity_bce(torch.zeros(1, 2), similar=False), similarity_bce(torch.zeros(1, 2), similar=True)
    (tensor([0.6931]), tensor([0.]))
    """
    known = cosine.detach()
    loss = known * F.softplus(-cosine) if similar else (1 - known) * F.softplus(cosine)
    return loss.mean(-1)
