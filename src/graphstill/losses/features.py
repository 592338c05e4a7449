"""Distances between hidden features of teacher and student, node by node."""

from __future__ import annotations

from torch import Tensor

from graphstill.losses.pairs import unit


def hint_distance(target: Tensor, student: Tensor) -> Tensor:
    """Mean over nodes and channels of (target − student)²: [M or 1, n, D] and [M, n, D] -> [M]."""
    return (target - student).square().mean((1, 2))


def attention_distance(target: Tensor, student: Tensor, power: float = 2.0) -> Tensor:
    """‖a^t − a^s‖², where a_i = Σ_c |h_ic|^power is brought to length 1 over the nodes; between 0 and 2.

    Shapes: features [M or 1, n, D_t] and [M, n, D_s] -> [M]. Widths may differ.
    """

    def attention(h: Tensor) -> Tensor:
        return unit((h.square() if power == 2.0 else h.abs().pow(power)).sum(-1))

    return (attention(target) - attention(student)).square().sum(-1)
