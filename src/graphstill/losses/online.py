"""Targets that a group of peers makes for itself from the labels. Tensors are [runs, peers, ...]; runs never mix."""

from __future__ import annotations

import torch
from torch import Tensor


def best_peer(logits: Tensor, losses: Tensor) -> Tensor:
    """The logits of the peer with the smallest loss, for every peer of its run.

    Shapes: logits [runs, peers, n, C], losses [runs, peers] -> [runs, peers, n, C], a broadcast view.

    >>> best_peer(torch.tensor([[[[1.0]], [[2.0]]]]), torch.tensor([[0.9, 0.1]])).flatten()
    tensor([2., 2.])
    """
    best = losses.argmin(1)
    runs = torch.arange(len(logits), device=logits.device)
    return logits[runs, best].unsqueeze(1).expand_as(logits)


def min_logit(logits: Tensor, y: Tensor) -> Tensor:
    """KDCL's MinLogit: each logit less that of the true class, then the smallest over the peers.

    The loss of such a target is at most that of any peer, since each wrong class gets its smallest margin.

    Shapes: logits [runs, peers, n, C], y int64 [n] -> [runs, peers, n, C], a broadcast view; 0 at the true class.

    >>> z = torch.tensor([[[[2.0, 1.0]], [[3.0, -1.0]]]])
    >>> min_logit(z, torch.tensor([0]))[0, 0]
    tensor([[ 0., -4.]])
    """
    picked = logits.gather(-1, y.view(1, 1, -1, 1).expand(*logits.shape[:3], 1))
    return (logits - picked).amin(1, keepdim=True).expand_as(logits)


def min_logit_multi_label(logits: Tensor, y: Tensor) -> Tensor:
    """The same with every label as a problem of two classes (z, 0): the largest logit where y is 1, the smallest at 0.

    A label that is NaN has no true class: there each peer is its own target.

    Shapes: logits [runs, peers, n, C], y float [n, C] -> [runs, peers, n, C].

    >>> z = torch.tensor([[[[2.0, 1.0]], [[3.0, -1.0]]]])
    >>> min_logit_multi_label(z, torch.tensor([[1.0, 0.0]]))[0, 0]
    tensor([[ 3., -1.]])
    """
    high, low = logits.amax(1, keepdim=True), logits.amin(1, keepdim=True)
    target = torch.where(y > 0.5, high, low)
    return torch.where(torch.isnan(y), logits, target)
