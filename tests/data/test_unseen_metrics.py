"""Classes without examples: fixture Z3, where a constant network earns nothing."""

from __future__ import annotations

import pytest
import torch

from graphstill.data.metrics import accuracy, class_hit_at, generalised_accuracy
from graphstill.errors import DataError

SCORES = torch.tensor([[[0.9, 0.4, 0.4, 0.1], [0.2, 0.3, 0.8, 0.3], [0.5, 0.5, 0.5, 0.5]]])
Y = torch.tensor([1, 3, 0])


def test_fixture_of_hits() -> None:
    found = [class_hit_at(SCORES, Y, k).item() for k in (1, 2, 3, 4)]
    assert found == pytest.approx([0, 0, 0.666667, 1], abs=1e-6)
    constant = torch.zeros(1, 3, 4)
    assert [class_hit_at(constant, Y, k).item() for k in (1, 3, 4)] == [0, 0, 1]


def test_without_ties_the_first_hit_is_accuracy() -> None:
    scores, y = torch.randn(3, 50, 6), torch.randint(6, (50,))
    torch.testing.assert_close(class_hit_at(scores, y, 1), accuracy(scores, y))
    best = scores.topk(2).indices
    torch.testing.assert_close(class_hit_at(scores, y, 2), (best == y[None, :, None]).any(-1).double().mean(-1))


def test_fixture_of_the_harmonic_mean() -> None:
    """Three of five seen items and one of five unseen ones are right."""
    y = torch.tensor([0] * 5 + [1] * 5)
    right = torch.tensor([1, 1, 1, 0, 0, 1, 0, 0, 0, 0])
    predicted = torch.where(right == 1, y, 1 - y)
    scores, seen = torch.nn.functional.one_hot(predicted, 2).float()[None], torch.tensor([True, False])
    found = generalised_accuracy(scores, y, seen)
    assert [part.item() for part in found] == pytest.approx([0.6, 0.2, 0.3])
    less = generalised_accuracy(scores, y, seen, calibration=2.0)
    assert [part.item() for part in less] == [0, 1, 0]


def test_what_cannot_be_scored_is_refused() -> None:
    for k in (0, 5):
        with pytest.raises(DataError, match=f"hit@{k} of 4 classes"):
            class_hit_at(SCORES, Y, k)
    with pytest.raises(DataError, match="12 scores are NaN"):
        class_hit_at(SCORES * torch.nan, Y, 1)
    with pytest.raises(DataError, match="no label that may be seen"):
        class_hit_at(SCORES, torch.tensor([1, -1, 0]), 1)
    for seen in (torch.ones(4).bool(), torch.zeros(4).bool(), torch.ones(3).bool()):
        with pytest.raises(DataError, match="items of both kinds"):
            generalised_accuracy(SCORES, Y, seen)
