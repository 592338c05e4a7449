"""Figures of transfer: curves drawn by hand, pairing by seed, and the result files that they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphstill
from graphstill.errors import ConfigError, DataError
from graphstill.study.transfer import final, first, transfer_metrics, transfer_ratio

SEEDS = [0, 1, 2, 3, 4]


def result(curve: Any, every: int = 1, **changes: Any) -> dict[str, Any]:
    """What of a result the figures are made from; `curve` is [points, seeds]."""
    return {
        "name": "run",
        "seeds": SEEDS,
        "test": None,
        "metric": "accuracy",
        "data_hash": "1",
        "history": {"every": every, "validation": np.asarray(curve).tolist()},
    } | changes


def flat(level: float, epochs: int = 20, **changes: Any) -> dict[str, Any]:
    """Every seed at a level of its own: 0.01 apart."""
    return result(np.full((epochs, 5), level) + 0.01 * np.arange(5), **changes)


def test_a_curve_that_is_higher_throughout() -> None:
    found = transfer_metrics(flat(0.8, name="warm"), flat(0.4, name="scratch"))
    assert list(found) == ["jumpstart", "asymptotic_gap", "transfer_ratio"]
    for key in ("jumpstart", "asymptotic_gap"):
        assert found[key].differences == pytest.approx([0.4] * 5)
        assert found[key].note.startswith("no claim: every seed gives the same difference")
    expected = [0.4 / (0.4 + 0.01 * i) for i in range(5)]
    assert found["transfer_ratio"].differences == pytest.approx(expected)
    low, high = found["transfer_ratio"].low, found["transfer_ratio"].high
    assert low is not None and high is not None and low < float(np.mean(expected)) < high
    assert (found["jumpstart"].name, found["jumpstart"].baseline) == ("warm", "scratch")
    assert found["jumpstart"].metric == "validation accuracy"


def test_a_head_start_that_is_caught_up_with() -> None:
    """From 0.6 to 0.8 against 0.2 to 0.8, in straight lines over five epochs."""
    warm = np.linspace(0.6, 0.8, 5)[:, None].repeat(5, 1)
    cold = np.linspace(0.2, 0.8, 5)[:, None].repeat(5, 1)
    found = transfer_metrics(result(warm), result(cold))
    assert found["jumpstart"].difference == pytest.approx(0.4)
    assert found["asymptotic_gap"].difference == pytest.approx(0.0)
    assert found["transfer_ratio"].difference == pytest.approx((3.5 - 2.5) / 2.5)


def test_a_curve_against_itself_is_nothing() -> None:
    curve = np.random.default_rng(0).uniform(0.2, 0.9, (30, 5))
    assert all(c.difference == 0 and c.p == 1 for c in transfer_metrics(result(curve), result(curve)).values())


def test_seeds_are_paired_by_number_not_by_place() -> None:
    curve = np.random.default_rng(0).uniform(0.2, 0.9, (30, 5))
    turned = [3, 1, 4, 0, 2]
    other = result(curve[:, turned], seeds=turned)
    assert all(c.difference == pytest.approx(0) for c in transfer_metrics(result(curve), other).values())
    assert all(c.differences == pytest.approx([0] * 5) for c in transfer_metrics(other, result(curve)).values())


def test_the_final_level_is_the_mean_of_the_last_share() -> None:
    epochs, curve = np.arange(1.0, 21.0), np.arange(20.0)[:, None]
    assert final(epochs, curve, 0.1) == pytest.approx([18.5])
    assert final(epochs, curve, 1.0) == pytest.approx([9.5])
    assert final(epochs, curve, 0.001) == pytest.approx([19.0])  # the last point at least
    assert final(np.arange(1.0, 200.0, 7.0), np.arange(29.0)[:, None], 0.01) == pytest.approx([28.0])
    assert first(curve) == pytest.approx([0.0])
    for share in (0.0, 1.5):
        with pytest.raises(ConfigError, match="last="):
            final(epochs, curve, share)


def test_areas_are_compared_over_the_epochs_that_both_have() -> None:
    """One stopped after ten epochs; the other has every second point of twenty."""
    short, sparse = np.full((10, 1), 0.6), np.linspace(1.0, 19.0, 10)
    ratio = transfer_ratio(np.arange(1.0, 11.0), short, sparse, np.full((10, 1), 0.5))
    assert ratio == pytest.approx([0.2])
    rising = np.arange(1.0, 20.0, 2.0)[:, None]  # the number of the epoch: lines between points give it back
    assert transfer_ratio(np.arange(1.0, 6.0), np.full((5, 1), 6.0), sparse, rising) == pytest.approx([30 / 15 - 1])


def test_a_thinned_history_has_its_epochs() -> None:
    curve = np.linspace(0.2, 0.8, 21)[:, None].repeat(5, 1)
    found = transfer_metrics(result(curve), result(curve[::2], every=2))
    assert all(c.difference == pytest.approx(0, abs=0.02) for c in found.values())
    assert found["transfer_ratio"].difference == pytest.approx(0)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ConfigError, match="different data"):
        transfer_metrics(flat(0.8), flat(0.4, data_hash="2"))
    with pytest.raises(ConfigError, match="different seeds"):
        transfer_metrics(flat(0.8), flat(0.4, seeds=[0, 1, 2, 3, 5]))
    with pytest.raises(DataError, match=r"seed 1 .* is zero throughout"):
        transfer_metrics(flat(0.8), result(np.array([[0.1, 0.0, 0.1, 0.1, 0.1]] * 3)))


def test_it_is_public() -> None:
    assert graphstill.transfer_metrics is transfer_metrics
