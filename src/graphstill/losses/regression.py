"""Numbers instead of classes: the task's loss where some values are missing, and what a teacher adds."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def squared_error(prediction: Tensor, y: Tensor) -> Tensor:
    """Mean over known entries of (prediction − y)²; 0 with gradient 0 where none is known.

    Shapes: prediction [M, n, C], y float [n, C] with NaN where a value is missing -> [M].

    >>> squared_error(torch.tensor([[[1.0], [4.0]]]), torch.tensor([[3.0], [torch.nan]]))
    tensor([4.])
    """
    difference, count = _off(prediction, y)
    return difference.square().sum((1, 2)) / count


def absolute_error(prediction: Tensor, y: Tensor) -> Tensor:
    """Mean over known entries of |prediction − y|; otherwise as `squared_error`.

    >>> absolute_error(torch.tensor([[[1.0], [4.0]]]), torch.tensor([[3.0], [torch.nan]]))
    tensor([2.])
    """
    difference, count = _off(prediction, y)
    return difference.abs().sum((1, 2)) / count


def regression_to_teacher(target: Tensor, student: Tensor, delta: float | None = None) -> Tensor:
    """Mean over items and outputs of (target − student)², or, with `delta`, of the Huber loss, whose slope is bounded.

    Huber: d²/2 up to |d| = delta, delta · (|d| − delta/2) beyond, so that a teacher that is far off at an item pulls
    no harder than by delta. All items count, labelled or not.

    Shapes: target [M or 1, n, C], student [M, n, C] -> [M].

    >>> t, s = torch.tensor([[[3.0]]]), torch.tensor([[[0.0]]])
    >>> regression_to_teacher(t, s), regression_to_teacher(t, s, delta=1.0)
    (tensor([9.]), tensor([2.5000]))
    """
    if delta is None:
        return (target - student).square().mean((1, 2))
    return F.huber_loss(student, target.expand_as(student), reduction="none", delta=delta).mean((1, 2))


def bounded_by_teacher(target: Tensor, student: Tensor, y: Tensor, margin: float = 0.0) -> Tensor:
    """(student − y)² where it is not yet better than the teacher's by `margin`, 0 where it is; mean over known entries.

    Chen et al.: Learning Efficient Object Detection Models with Knowledge Distillation, NIPS 2017, section 3.3: a
    regression teacher may be wrong beyond all bounds, so that it says when to stop and not where to go. Deviation: the
    comparison is made for each output by itself, not for a box as a whole.

    Shapes: target [M or 1, n, C], student [M, n, C], y float [n, C] with NaN where a value is missing -> [M].

    >>> t, y = torch.tensor([[[1.0], [1.0]]]), torch.zeros(2, 1)
    >>> bounded_by_teacher(t, torch.tensor([[[0.5], [2.0]]]), y)
    tensor([2.])
    """
    (own, count), (his, _) = _off(student, y), _off(target.detach(), y)
    own, his = own.square(), his.square()
    return (own * (own.detach() + margin > his)).sum((1, 2)) / count


def _off(prediction: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Differences [M, n, C], 0 at missing values, and how many are known (1 where none is)."""
    known = ~torch.isnan(y)
    return torch.where(known, prediction - torch.where(known, y, 0.0), 0.0), known.sum().clamp(min=1)
