"""Weights that change in the course of training, as functions of progress in [0, 1) through the distillation phase."""

from __future__ import annotations

import math


def ramp_up(progress: float, share: float) -> float:
    """exp(−5 (1 − progress / share)²) until progress reaches `share`, then 1; 1 throughout where `share` is 0.

    Laine and Aila: Temporal Ensembling for Semi-Supervised Learning, ICLR 2017, section 3.
    """
    return 1.0 if progress >= share else math.exp(-5.0 * (1.0 - progress / share) ** 2)
