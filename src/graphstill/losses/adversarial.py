"""Binary cross-entropy on discriminator scores (logits, before the sigmoid)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from graphstill.ops import Groups


def judged_real(scores: Tensor, groups: Groups | None = None) -> Tensor:
    """−log σ(score), mean over the last axis: [.., n] -> [..]. What a generator minimises (non-saturating form).

    With `groups` (the nodes, or the edges, of each graph; scores [M, n]) the mean over graphs of each graph's mean.

    >>> judged_real(torch.zeros(1, 3), Groups.from_ptr(torch.tensor([0, 1, 3]), 3))
    tensor([0.6931])
    """
    return _mean(F.softplus(-scores), groups)


def judged_fake(scores: Tensor, groups: Groups | None = None) -> Tensor:
    """−log(1 − σ(score)), mean over the last axis: [.., n] -> [..]; `groups` as in `judged_real`.

    >>> judged_fake(torch.zeros(1, 3))
    tensor([0.6931])
    """
    return _mean(F.softplus(scores), groups)


def _mean(losses: Tensor, groups: Groups | None) -> Tensor:
    return losses.mean(-1) if groups is None else groups.mean_of_means(losses)
