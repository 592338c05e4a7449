"""What a warm start is worth: learning curves of students that had one against those of students that had none.

Kooverjee, James, van Zyl: Investigating Transfer Learning in Graph Neural Networks, Electronics 11(8), 2022. The names
of the three figures are those of transfer in reinforcement learning (Taylor and Stone, JMLR 2009).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphstill.errors import ConfigError, DataError
from graphstill.study.statistics import Comparison, matched, paired

Curve = NDArray[np.float64]


def transfer_metrics(run: Any, baseline: Any, last: float = 0.1) -> dict[str, Comparison]:
    """Three comparisons of validation curves, paired by seed: a `Run` (or its result dict) against one from scratch.

    - `jumpstart`: the difference after the first epoch;
    - `asymptotic_gap`: the difference of the final levels, each the mean over the `last` share of its own epochs;
    - `transfer_ratio`: the area between the curves over the baseline's area, up to the last epoch that both have; a
      ratio, 0.05 is five per cent more area.

    Curves are those of the result: the validation metric of the mean member after each epoch, or after every n-th where
    there are many, joined by straight lines. Nothing of the test set is in them.

    Raises ConfigError where the two differ in data, metric or seeds, and DataError for a baseline that never rises
    above zero.

    >>> warm = gs.train(student, task, start=teacher, seeds=2)
    >>> found = gs.transfer_metrics(warm, run)
    """
    ours, theirs, order = matched(run, baseline)
    (epochs, curve), (other_epochs, other) = _curves(ours), _curves(theirs)
    other = other[:, order]
    values = {
        "jumpstart": (first(curve), first(other)),
        "asymptotic_gap": (final(epochs, curve, last), final(other_epochs, other, last)),
    }
    ratio = transfer_ratio(epochs, curve, other_epochs, other)
    values["transfer_ratio"] = (ratio, np.zeros_like(ratio))
    names = {"name": str(ours["name"]), "against": str(theirs["name"])}
    seeds = [int(seed) for seed in ours["seeds"]]
    return {
        key: paired(a.tolist(), b.tolist(), seeds=seeds, metric=f"validation {ours['metric']}", figure=key, **names)
        for key, (a, b) in values.items()
    }


def first(curve: Curve) -> Curve:
    """The level after the first epoch: [epochs, seeds] -> [seeds]."""
    return curve[0]


def final(epochs: Curve, curve: Curve, last: float) -> Curve:
    """The mean level over the last share of the epochs, at least the last point: [points, seeds] -> [seeds]."""
    if not 0 < last <= 1:
        raise ConfigError(f"last={last} of transfer_metrics: it is a share of the epochs, above 0 and up to 1")
    tail: Curve = curve[epochs > epochs[-1] - max(1.0, last * epochs[-1])].mean(axis=0)
    return tail


def transfer_ratio(epochs: Curve, curve: Curve, other_epochs: Curve, other: Curve) -> Curve:
    """(area − other area) / other area over the epochs that both have: [points, seeds] each -> [seeds]."""
    common = np.arange(1.0, min(epochs[-1], other_epochs[-1]) + 1)
    area, base = _area(common, epochs, curve), _area(common, other_epochs, other)
    if bool((base <= 0).any()):
        raise DataError(
            f"the baseline's learning curve of seed {int((base <= 0).argmax())} (counted from 0) is zero throughout: "
            "there is no ratio to it; train it longer, or look at the other figures"
        )
    ratio: Curve = (area - base) / base
    return ratio


def _area(common: Curve, epochs: Curve, curve: Curve) -> Curve:
    """Sum over the common epochs, straight lines between the points that there are."""
    return np.array([np.interp(common, epochs, column).sum() for column in curve.T])


def _curves(result: Mapping[str, Any]) -> tuple[Curve, Curve]:
    """Numbers of the epochs [points], and the validation metric [points, seeds]."""
    history = result["history"]
    curve = np.asarray(history["validation"], dtype=np.float64)
    return 1.0 + history["every"] * np.arange(len(curve)), curve
