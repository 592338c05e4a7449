"""The task's own loss: cross-entropy for one label a node, binary cross-entropy for several."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of each member.

    Shapes: logits [M, n, C], y int64 [n] with labels 0..C-1 -> [M].
    """
    log_p = logits.log_softmax(-1)
    picked = log_p.gather(-1, y.view(1, -1, 1).expand(log_p.shape[0], -1, 1))
    return -picked.squeeze(-1).mean(-1)


def binary_cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean over nodes and labels of the binary cross-entropy; labels that are NaN are left out.

    Shapes: logits [M, n, C], y float [n, C] in {0, 1, NaN} -> [M].
    """
    known = ~torch.isnan(y)
    target = torch.where(known, y, torch.zeros((), dtype=y.dtype, device=y.device)).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    return (loss * known).sum((-2, -1)) / known.sum().clamp(min=1)


def supervised(logits: Tensor, y: Tensor, multi_label: bool) -> Tensor:
    """The supervised loss of each member, [M, n, C] and labels -> [M]."""
    return binary_cross_entropy(logits, y) if multi_label else cross_entropy(logits, y)
