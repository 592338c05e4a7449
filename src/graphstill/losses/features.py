"""Distances between hidden features of teacher and student: node by node, or position by position of an image."""

from __future__ import annotations

from torch import Tensor

from graphstill.losses.pairs import unit


def hint_distance(target: Tensor, student: Tensor) -> Tensor:
    """Mean over nodes and channels of (target − student)²: [M or 1, n, D] and [M, n, D] -> [M]."""
    return (target - student).square().mean((1, 2))


def attention_distance(target: Tensor, student: Tensor, power: float = 2.0) -> Tensor:
    """‖a^t − a^s‖², where a_i = Σ_c |h_ic|^power is brought to length 1 over the nodes; between 0 and 2.

    Of maps each image has an a of its own, over its positions, and the result is the mean over images.

    Shapes: features [M or 1, n, D_t] and [M, n, D_s], or maps [M or 1, n, C_t, H, W] and [M, n, C_s, H, W] -> [M].
    Widths may differ.
    """

    def attention(h: Tensor) -> Tensor:
        return unit((h.square() if power == 2.0 else h.abs().pow(power)).sum(2).flatten(2 if h.dim() == 5 else 1))

    distance = (attention(target) - attention(student)).square().sum(-1)
    return distance.mean(-1) if student.dim() == 5 else distance
