"""Binary cross-entropy on discriminator scores (logits, before the sigmoid)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def judged_real(scores: Tensor) -> Tensor:
    """−log σ(score), mean over the last axis: [.., n] -> [..]. What a generator minimises (non-saturating form)."""
    return F.softplus(-scores).mean(-1)


def judged_fake(scores: Tensor) -> Tensor:
    """−log(1 − σ(score)), mean over the last axis: [.., n] -> [..]."""
    return F.softplus(scores).mean(-1)
