"""What logits mean: labels and probabilities."""

from __future__ import annotations

import numpy as np

from graphstill.runtime.jagged import Floats, Ints


def labels(logits: Floats, multi_label: bool) -> Ints:
    """The class of each row, int64 ``[rows]``; for several labels a row, 0 or 1 in ``[rows, classes]``."""
    return (logits > 0).astype(np.int64) if multi_label else logits.argmax(axis=1)


def probabilities(logits: Floats, multi_label: bool) -> Floats:
    """Softmax of each row; for several labels a row, sigmoid: ``[rows, classes]``. Neither overflows."""
    if multi_label:
        return np.float32(0.5) * (1 + np.tanh(np.float32(0.5) * logits))
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    made: Floats = shares / shares.sum(axis=1, keepdims=True)
    return made
