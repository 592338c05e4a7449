"""Is the difference real? Comparisons paired by seed, with an interval, a p-value, and silence below five seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from graphstill.errors import ConfigError, DataError
from graphstill.typed import typed

Figure = Literal["mean", "best_val", "ensemble"]
FIGURES: tuple[str, ...] = ("mean", "best_val", "ensemble")
FEWEST_SEEDS = 5  # below, an interval says more about the seeds than about the method
FEWEST_FOR_WILCOXON = 6  # with five pairs its smallest two-sided p is 0.0625: it could never find anything


@dataclass(frozen=True)
class Comparison:
    """`name` minus `baseline`, seed by seed, in the unit of the metric (a fraction; the text shows points of 100).

    `low` and `high` bound the 95 % confidence interval of the mean difference (Student's t), `p` is the two-sided
    paired t-test, `p_wilcoxon` the signed-rank test as a second opinion from six seeds on. All four are None where
    nothing can be claimed; `note` says why.

    >>> found = gs.compare(run, teacher)
    >>> found.n, found.metric
    (2, 'accuracy')
    """

    name: str
    baseline: str
    metric: str
    figure: str
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    baseline_mean: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    p_wilcoxon: float | None
    note: str

    @property
    def n(self) -> int:
        return len(self.differences)

    def __str__(self) -> str:
        text = f"{100 * self.difference:+.2f}"
        if self.low is not None and self.high is not None:
            text += f" [{100 * self.low:+.2f}, {100 * self.high:+.2f}]"
        if self.p is not None:
            text += " p<0.001" if self.p < 0.001 else f" p={self.p:.3f}"
        seeds = "1 seed" if self.n == 1 else f"{self.n} seeds"
        return f"{text} ({seeds}{': ' + self.note if self.note else ''})"

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-able values, with the text as `summary`."""
        return {**asdict(self), "n": self.n, "summary": str(self)}


def paired(
    values: Sequence[float],
    baseline: Sequence[float],
    *,
    seeds: Sequence[int] | None = None,
    name: str = "student",
    against: str = "baseline",
    metric: str = "accuracy",
    figure: str = "mean",
) -> Comparison:
    """The paired comparison of two equally long lists, entry i of both from the same seed.

    Raises DataError for lists of different length, empty lists and values that are not finite.
    """
    if len(values) != len(baseline) or not values:
        raise DataError(
            f"{len(values)} values against {len(baseline)}: a paired comparison needs one of each for every seed, "
            f"in {name!r} and {against!r}. Run both with the same seeds."
        )
    if not all(math.isfinite(v) for v in (*values, *baseline)):
        raise DataError(
            f"a value is not finite among {list(values)} or {list(baseline)}, in {name!r} or {against!r}. "
            "A run that diverged cannot be compared: lower its learning rate and run it again."
        )
    # Rounded: 0.83 - 0.82 and 0.82 - 0.81 differ in the last bit, which would break ties of the rank test at random.
    differences = tuple(round(a - b, 12) for a, b in zip(values, baseline, strict=True))
    n = len(differences)
    mean = math.fsum(differences) / n
    low, high, p, p_wilcoxon, note = _inference(differences, mean)
    return Comparison(
        name=name,
        baseline=against,
        metric=metric,
        figure=figure,
        seeds=tuple(seeds) if seeds is not None else tuple(range(n)),
        differences=differences,
        mean=math.fsum(values) / n,
        baseline_mean=math.fsum(baseline) / n,
        difference=mean,
        low=low,
        high=high,
        p=p,
        p_wilcoxon=p_wilcoxon,
        note=note,
    )


@typed
def compare(run: Any, baseline: Any, figure: Figure = "mean") -> Comparison:
    """Paired by seed: a `Run` (or its result dict) against another, on one figure of the test set.

    `figure` is "mean" (mean member of a group; the only member of a single model), "best_val" (the member that
    validation picks) or "ensemble". Raises ConfigError when the two differ in data, metric or seeds, or lack the
    figure: such numbers stand side by side, but their difference means nothing.

    A baseline that is one network trained elsewhere (`evaluate`) stands against every seed; the interval is then over
    the seeds of `run` alone, and the note says so.

    >>> gs.compare(run, run).difference
    0.0
    """
    ours, theirs, order = matched(run, baseline, fixed=True)
    of_others = _values(theirs, figure)
    found = paired(
        _values(ours, figure),
        [of_others[i] for i in order],
        seeds=[int(seed) for seed in ours["seeds"]],
        name=str(ours["name"]),
        against=str(theirs["name"]),
        metric=str(ours["metric"]),
        figure=figure,
    )
    if len(order) == len(set(order)):
        return found
    return replace(found, note="; ".join(filter(None, (found.note, f"{found.baseline} is one network, as given"))))


def matched(run: Any, baseline: Any, *, fixed: bool = False) -> tuple[Mapping[str, Any], Mapping[str, Any], list[int]]:
    """Two result dicts of the same data, metric and seeds, and where each seed of the first is in the second.

    With `fixed`, a second that is one network trained elsewhere goes with every seed. Raises ConfigError where they
    differ.
    """
    ours, theirs = _result(run), _result(baseline)
    names = f"{ours['name']!r} and {theirs['name']!r}"
    for key, what in (("data_hash", "data (or split, or setting)"), ("metric", "metric")):
        if ours[key] != theirs[key]:
            raise ConfigError(
                f"different {what}: {ours[key]!r} against {theirs[key]!r}, in {names}. "
                "Train both on the same task object or the same `task:` section."
            )
    seeds = [int(seed) for seed in ours["seeds"]]
    other = [int(seed) for seed in theirs["seeds"]]
    if fixed and theirs.get("kind") == "evaluate" and len(other) == 1:
        return ours, theirs, [0] * len(seeds)
    if len(set(seeds)) != len(seeds) or sorted(seeds) != sorted(other):
        raise ConfigError(
            f"different seeds: {seeds} against {other}, in {names}. A paired comparison needs the same distinct seeds "
            "in both: run the missing ones."
        )
    return ours, theirs, [other.index(seed) for seed in seeds]


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction (1979) of the p-values of one table; None (no claim) stays None and is not counted.

    The i-th smallest of m is multiplied by m - i + 1, made monotone, and capped at one.
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, i) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[i] = largest
    return corrected


def signed_rank(differences: Sequence[float]) -> float:
    """The exact two-sided p of Wilcoxon's signed-rank test (1945): zeros dropped, tied sizes share their mean rank.

    Exact by counting sign patterns over doubled ranks. `scipy.stats.wilcoxon` resamples at random where there are ties
    or zeros, and accuracies of one test set tie all the time: a p-value that differs from run to run.
    """
    import numpy as np
    from scipy.stats import rankdata

    values = np.array([d for d in differences if d != 0.0])
    if not len(values):
        return 1.0
    doubled = np.rint(2 * rankdata(np.abs(values))).astype(int)
    chance = np.zeros(doubled.sum() + 1)  # of each sum of the positive ranks, when every sign is a coin toss
    chance[0] = 1.0
    for rank in doubled:
        chance[rank:] = (chance[rank:] + chance[:-rank]) / 2
        chance[:rank] /= 2
    found = int(doubled[values > 0].sum())
    tail = min(chance[: found + 1].sum(), chance[found:].sum())
    return float(min(1.0, 2 * tail))


def _inference(
    differences: Sequence[float], mean: float
) -> tuple[float | None, float | None, float | None, float | None, str]:
    """Interval, p of the t-test, p of Wilcoxon, and a note."""
    n = len(differences)
    if n < FEWEST_SEEDS:
        return None, None, None, None, f"no claim below {FEWEST_SEEDS}"
    if all(d == 0 for d in differences):
        return 0.0, 0.0, 1.0, 1.0 if n >= FEWEST_FOR_WILCOXON else None, ""
    deviation = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1))
    if deviation <= 1e-12:
        # A deterministic model, most likely: n copies of one observation, and a t-test would divide by zero.
        return None, None, None, None, "no claim: every seed gives the same difference"
    from scipy import stats

    error = deviation / math.sqrt(n)
    reach = float(stats.t.ppf(0.975, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    p_wilcoxon = signed_rank(differences) if n >= FEWEST_FOR_WILCOXON else None
    return mean - reach, mean + reach, p, p_wilcoxon, ""


def _result(run: Any) -> Mapping[str, Any]:
    result = run if isinstance(run, Mapping) else getattr(run, "result", None)
    needed = ("name", "seeds", "test", "metric", "data_hash")
    missing = [key for key in needed if not isinstance(result, Mapping) or key not in result]
    if missing or not isinstance(result, Mapping):
        raise ConfigError(
            f"not a result: {type(run).__name__} without {', '.join(missing)}. "
            "Give a Run, or what stands in its result.json."
        )
    return result


def _values(result: Mapping[str, Any], figure: str) -> list[float]:
    if result["test"] is None:
        raise ConfigError(f"the test set of {result['name']!r} was left sealed: there is no figure of it to compare")
    values = result["test"].get(figure)
    if figure not in FIGURES or values is None:
        has = [name for name in FIGURES if result["test"].get(name) is not None]
        raise ConfigError(
            f"no figure {figure!r} in {result['name']!r}; it has {', '.join(has)}. "
            "An ensemble exists only where peers > 1."
        )
    return [float(value) for value in values]
