"""Paired comparisons against closed forms, scipy, and the promise to claim nothing where nothing can be claimed."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from graphstill.errors import ConfigError, DataError
from graphstill.study.statistics import compare, holm, paired, signed_rank

ACCURACY = st.floats(0, 1).map(lambda value: round(value, 4))


def result(name: str, mean: list[float], seeds: list[int] | None = None, **changes: object) -> dict[str, object]:
    test = {"members": mean, "mean": mean, "best_val": mean, "ensemble": None}
    base = {"name": name, "seeds": seeds or list(range(len(mean))), "metric": "accuracy", "data_hash": "abc"}
    return {**base, "test": test, **changes}


def test_closed_form_of_five_differences() -> None:
    """Differences 1..5 points: mean 3, standard error sqrt(2.5 / 5) = sqrt(0.5), t = 3 sqrt(2) on 4 degrees."""
    found = paired([0.71, 0.72, 0.73, 0.74, 0.75], [0.70] * 5)
    assert found.difference == pytest.approx(0.03)
    assert found.high == pytest.approx(0.03 + 2.7764451052 * math.sqrt(0.5) / 100)
    assert found.low == pytest.approx(0.03 - 2.7764451052 * math.sqrt(0.5) / 100)
    t_squared = 18  # the survival function of t on 4 degrees is elementary
    x = t_squared / (t_squared + 4)
    assert found.p == pytest.approx(1 - math.sqrt(x) * (1 + (1 - x) / 2))
    assert found.p_wilcoxon is None  # five pairs


@settings(deadline=None)  # the first call imports scipy.stats
@given(st.lists(st.tuples(ACCURACY, ACCURACY), min_size=6, max_size=12))
def test_agrees_with_scipy_and_is_antisymmetric(pairs: list[tuple[float, float]]) -> None:
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    found, turned = paired(ours, theirs), paired(theirs, ours)
    assert turned.difference == -found.difference
    assert turned.p == found.p
    if found.p is None or not any(found.differences):
        return
    reference = stats.ttest_rel(ours, theirs)
    interval = reference.confidence_interval(0.95)
    assert found.p == pytest.approx(reference.pvalue, rel=1e-6, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    assert (found.low > 0 or found.high < 0) == (found.p < 0.05)


def test_wilcoxon_of_six_gains_is_two_over_two_to_the_six() -> None:
    assert paired([0.71, 0.72, 0.73, 0.74, 0.75, 0.76], [0.7] * 6).p_wilcoxon == pytest.approx(2 / 64)


def test_signed_rank_without_ties_is_scipys_exact_one() -> None:
    differences = [0.3, -0.1, 0.25, 0.4, -0.2, 0.15, 0.05, 0.6, -0.35]
    assert signed_rank(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=8))
def test_signed_rank_with_ties_counts_all_sign_patterns(values: list[int]) -> None:
    kept = [value for value in values if value]
    ranks = stats.rankdata([abs(value) for value in kept])
    found = sum(rank for rank, value in zip(ranks, kept, strict=True) if value > 0)
    sums = [sum(r for r, up in zip(ranks, signs, strict=True) if up) for signs in product((0, 1), repeat=len(kept))]
    tail = min(sum(s <= found for s in sums), sum(s >= found for s in sums)) / len(sums)
    assert signed_rank([value / 100 for value in values]) == pytest.approx(min(1, 2 * tail))


def test_text() -> None:
    differences = [0.010, 0.011, 0.012, 0.013, 0.014, 0.015, 0.016, 0.012, 0.014, 0.015]
    found = paired([0.8 + d for d in differences], [0.8] * 10)
    assert str(found) == "+1.32 [+1.18, +1.46] p<0.001 (10 seeds)"
    assert str(paired([0.81, 0.80, 0.79, 0.82, 0.80], [0.8] * 5)) == "+0.40 [-1.02, +1.82] p=0.477 (5 seeds)"


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_no_claim_below_five_seeds(n: int) -> None:
    found = paired([0.9] * n, [0.1] * n)
    assert (found.low, found.high, found.p, found.p_wilcoxon) == (None, None, None, None)
    assert "no claim below 5" in str(found)
    assert "p=" not in str(found)
    assert "p<" not in str(found)


def test_all_differences_zero() -> None:
    found = paired([0.5, 0.6, 0.7, 0.8, 0.9, 0.4], [0.5, 0.6, 0.7, 0.8, 0.9, 0.4])
    assert (found.difference, found.low, found.high, found.p, found.p_wilcoxon) == (0, 0, 0, 1, 1)
    assert str(found) == "+0.00 [+0.00, +0.00] p=1.000 (6 seeds)"


def test_the_same_difference_in_every_seed_is_one_observation() -> None:
    found = paired([0.83] * 10, [0.82] * 10)
    assert found.p is None
    assert "every seed gives the same difference" in str(found)


def test_compare_pairs_by_seed_not_by_position() -> None:
    ours = result("kd", [0.81, 0.82, 0.83, 0.84, 0.86], seeds=[0, 1, 2, 3, 4])
    theirs = result("plain", [0.85, 0.82, 0.82, 0.81, 0.80], seeds=[4, 3, 2, 1, 0])
    assert compare(ours, theirs).differences == (0.01, 0.01, 0.01, 0.02, 0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data_hash": "xyz"}, "different data"),
        ({"metric": "micro_f1"}, "different metric"),
        ({"seeds": [0, 1, 2, 3, 9]}, "different seeds"),
        ({"seeds": [0, 0, 1, 2, 3]}, "different seeds"),
    ],
)
def test_compare_refuses_what_cannot_be_paired(changes: dict[str, object], message: str) -> None:
    ours = result("kd", [0.8, 0.7, 0.9, 0.8, 0.6])
    with pytest.raises(ConfigError, match=message):
        compare(ours, {**ours, "name": "plain", **changes})


def test_compare_refuses_a_figure_that_is_not_there() -> None:
    single = result("kd", [0.8] * 5)
    with pytest.raises(ConfigError, match="no figure 'ensemble' in 'kd'; it has mean, best_val"):
        compare(single, single, "ensemble")
    with pytest.raises(ConfigError, match="not a result"):
        compare({"name": "kd"}, single)


def test_diverged_and_unequal_runs_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        paired([0.8, math.nan], [0.8, 0.8])
    with pytest.raises(DataError, match="2 values against 1"):
        paired([0.8, 0.7], [0.8])


def test_holm_by_hand() -> None:
    """Holm (1979): 0.01 x 4, 0.02 x 3, then 0.03 x 2 = 0.06, then 0.04 x 1 lifted to 0.06; None is not counted."""
    assert holm([0.01, 0.04, None, 0.03, 0.02]) == pytest.approx([0.04, 0.06, None, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_lies_between_raw_and_bonferroni(p_values: list[float]) -> None:
    for raw, corrected in zip(p_values, holm(p_values), strict=True):
        assert corrected is not None
        assert raw <= corrected <= min(1.0, len(p_values) * raw)
