"""The task's own loss: cross-entropy for one label a node, binary cross-entropy for several."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of each member.

    Shapes: logits [M, n, C], y int64 [n] with labels 0..C-1 -> [M].

    >>> cross_entropy(torch.zeros(1, 2, 4), torch.tensor([0, 3]))  # log 4
    tensor([1.3863])
    """
    log_p = logits.log_softmax(-1)
    picked = log_p.gather(-1, y.view(1, -1, 1).expand(log_p.shape[0], -1, 1))
    return -picked.squeeze(-1).mean(-1)


def smoothed_cross_entropy(
    logits: Tensor, y: Tensor, smoothing: float, spread: Literal["all", "others"] = "all"
) -> Tensor:
    """Mean cross-entropy with targets that leave `smoothing` of the probability to other classes.

    ``all``: spread evenly over all C classes, the label's among them (Szegedy et al., Rethinking the Inception
    Architecture, CVPR 2016, section 7; `torch.nn.CrossEntropyLoss`): q_y = 1 − ε + ε/C. ``others``: over the other
    C − 1 classes, q_y = 1 − ε, as the code of DGCNN has it (Wang et al., Dynamic Graph CNN, TOG 2019).

    Shapes: logits [M, n, C], y int64 [n] with labels 0..C-1 -> [M]. `smoothing` in [0, 1).

    >>> logits = torch.tensor([[[2.0, 0.0, 0.0, 0.0]]])
    >>> [round(smoothed_cross_entropy(logits, torch.tensor([0]), 0.2, s).item(), 6) for s in ("all", "others")]
    [0.640753, 0.740753]
    """
    log_p = logits.log_softmax(-1)
    own, every = log_p.gather(-1, y.view(1, -1, 1).expand(len(log_p), -1, 1)).squeeze(-1), log_p.sum(-1)
    classes = logits.shape[-1]
    rest = every / classes if spread == "all" else (every - own) / max(classes - 1, 1)
    return -((1 - smoothing) * own + smoothing * rest).mean(-1)


def binary_cross_entropy(logits: Tensor, y: Tensor, mean: Literal["entries", "tasks"] = "entries") -> Tensor:
    """Mean binary cross-entropy; labels that are NaN are left out, and without a label it is 0 with gradient 0.

    ``entries``: the mean over all labelled entries, as in the Open Graph Benchmark (Hu et al., NeurIPS 2020); tasks
    with many labels weigh more. ``tasks``: the mean over tasks that have a label of the mean over their labelled items.

    Shapes: logits [M, n, C], y float [n, C] in {0, 1, NaN} -> [M].

    >>> y = torch.tensor([[1.0, torch.nan], [0.0, torch.nan]])
    >>> binary_cross_entropy(torch.zeros(1, 2, 2), y), binary_cross_entropy(torch.ones(1, 2, 2), y * torch.nan)
    (tensor([0.6931]), tensor([0.]))
    """
    known = ~torch.isnan(y)
    target = torch.where(known, y, torch.zeros((), dtype=y.dtype, device=y.device)).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none") * known
    if mean == "entries":
        return loss.sum((-2, -1)) / known.sum().clamp(min=1)
    count = known.sum(0)
    return (loss.sum(-2) / count.clamp(min=1)).sum(-1) / (count > 0).sum().clamp(min=1)


def supervised(logits: Tensor, y: Tensor, multi_label: bool) -> Tensor:
    """The supervised loss of each member, [M, n, C] and labels -> [M].

    >>> supervised(torch.zeros(1, 1, 4), torch.tensor([2]), False)  # log 4
    tensor([1.3863])
    >>> supervised(torch.zeros(1, 1, 4), torch.ones(1, 4), True)  # log 2
    tensor([0.6931])
    """
    return binary_cross_entropy(logits, y) if multi_label else cross_entropy(logits, y)
