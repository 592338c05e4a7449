"""Soft targets: KL(target ‖ student) between tempered outputs.

One convention for the whole library: sum over classes, mean over nodes, times temperature squared, so that the size
of the gradient does not depend on the temperature (Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural
Network, 2015, section 2.1).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def classes_first(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """log softmax(logits / T) with classes in front of nodes: [M, n, C] -> [M, C, n].

    With a handful of classes the softmax over the last axis cannot use wide registers: this layout took a tenth of the
    time for [20, 2708, 7] on one core, forward and backward.

    >>> classes_first(torch.zeros(1, 1, 2)).shape, classes_first(torch.zeros(1, 1, 2)).exp().flatten()
    (torch.Size([1, 2, 1]), tensor([0.5000, 0.5000]))
    """
    scaled = logits if temperature == 1.0 else logits / temperature
    return scaled.transpose(-1, -2).contiguous().log_softmax(-2)


def softmax_kl(target: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
    """T² · KL(softmax(target / T) ‖ softmax(student / T)), mean over nodes.

    Shapes: target [M or 1, n, C] logits, student [M, n, C] logits -> [M]. The target is used as given: detach it first
    unless its gradient is wanted.

    >>> even, sure = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 1.0]]]).log()  # 1/2, 1/2 and 3/4, 1/4
    >>> softmax_kl(even, sure)  # 1/2 log 4/3
    tensor([0.1438])
    """
    log_q, log_p = classes_first(target, temperature), classes_first(student, temperature)
    return (log_q.exp() * (log_q - log_p)).sum(-2).mean(-1) * temperature**2


def bernoulli_kl(target: Tensor, student: Tensor, temperature: float = 1.0, known: Tensor | None = None) -> Tensor:
    """T² · KL between independent Bernoulli labels σ(z / T), summed over labels, mean over nodes.

    Shapes as in `softmax_kl`. For multi-label tasks, where a softmax over labels would be the wrong family. A teacher
    answers where labels are missing as well, so that by default all entries count; with `known`, bool [n, C], only
    these do, and the mean is over the nodes that have one (0 where none has).

    >>> z = torch.tensor([[[2.0]]])
    >>> bernoulli_kl(z, torch.zeros_like(z)), bernoulli_kl(z, torch.zeros_like(z), known=torch.zeros(1, 1).bool())
    (tensor([0.3278]), tensor([0.]))
    """
    a, b = target / temperature, student / temperature
    q = a.sigmoid()
    positive = q * (F.logsigmoid(a) - F.logsigmoid(b))
    negative = (1 - q) * (F.logsigmoid(-a) - F.logsigmoid(-b))
    each = positive + negative
    if known is None:
        return each.sum(-1).mean(-1) * temperature**2
    return (each * known).sum((-2, -1)) / known.any(-1).sum().clamp(min=1) * temperature**2


def soft_target_kl(target: Tensor, student: Tensor, temperature: float, multi_label: bool) -> Tensor:
    """`bernoulli_kl` for multi-label tasks, `softmax_kl` otherwise; -> [M].

    >>> even, sure = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 1.0]]]).log()  # 1/2, 1/2 and 3/4, 1/4
    >>> soft_target_kl(even, sure, 1.0, multi_label=False), soft_target_kl(even, even, 1.0, multi_label=True)
    (tensor([0.1438]), tensor([0.]))
    """
    return (bernoulli_kl if multi_label else softmax_kl)(target, student, temperature)
