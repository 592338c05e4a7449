"""Experts that were taught by one heuristic each, and a gate that says whom to believe about a pair."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor

Gate = Literal["mean", "softmax", "sigmoid"]
GATES: tuple[str, ...] = get_args(Gate)


def gated_logits(logits: Tensor, gates: Tensor | None, gate: Gate = "softmax") -> Tensor:
    """What the experts say together, as a logit.

    Qin et al.: Heuristic Methods are Good Teachers to Distill MLPs for Graph Link Prediction, 2025 (EHDM).

    * ``mean``: the logit of the mean of their probabilities; what the released code comes to, whose gate is multiplied
      by 0.
    * ``softmax``: the logit of Σ_h softmax_h(g) σ(z_h).
    * ``sigmoid``: Σ_h σ(g_h) z_h. Of logits, because such a sum of probabilities may be above 1.

    Shapes: logits [M, H, P] of H experts; gates [M, H, P], of the features of both ends (None for the mean) -> [M, P].

    >>> z = torch.tensor([[[0.9], [0.5], [0.1]]]).logit()
    >>> g = torch.tensor([[[1.0], [0.0], [-1.0]]])
    >>> [round(gated_logits(z, g, how).sigmoid().item(), 6) for how in ("mean", "softmax")]
    [0.5, 0.730084]
    """
    if gate == "sigmoid" and gates is not None:
        return (gates.sigmoid() * logits).sum(1)
    if gate == "mean" or gates is None:
        share = logits.new_full((), -math.log(logits.shape[1]))
    else:
        share = gates.log_softmax(1)
    return (share + F.logsigmoid(logits)).logsumexp(1) - (share + F.logsigmoid(-logits)).logsumexp(1)


def gate_size(gates: Tensor) -> Tensor:
    """Mean over pairs of Σ_h σ(g_h), which drives gates of ``sigmoid`` to 0: [M, H, P] -> [M].

    Of a softmax it would be the constant 1, as it is in the released code.

    >>> gate_size(torch.zeros(1, 3, 2))
    tensor([1.5000])
    """
    return gates.sigmoid().sum(1).mean(-1)


def released_probability(probability: Tensor) -> Tensor:
    """(p + 1e-6) / 1.001: how the released code keeps the mean of probabilities away from 0 and 1.

    >>> round(released_probability(Tensor([0.5])).item(), 6)
    0.499501
    """
    return (probability + 1e-6) / 1.001
