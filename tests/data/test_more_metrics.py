"""Metrics of tasks with missing labels (fixture G2), of regressions, macro-F1 (fixture T3), beside scikit-learn's."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from graphstill.data.metrics import (
    METRICS,
    accuracy,
    macro_f1,
    mean_average_precision,
    mean_roc_auc,
    micro_f1,
    tasks_scored,
)
from graphstill.errors import DataError
from tests.losses.test_missing import NONE, P, Y


def test_fixture_of_missing_labels() -> None:
    assert tasks_scored(Y).tolist() == [True, True, False]
    scored = [mean_roc_auc(P[None, :, c : c + 1], Y[:, c : c + 1]).item() for c in (0, 1)]
    assert scored == [0.625, 0.75] and mean_roc_auc(P[None], Y).item() == 0.6875
    known = ~Y.isnan()
    assert mean_roc_auc(P[known][None, :, None], Y[known][:, None]).item() == pytest.approx(0.8), (
        "pooled: another figure"
    )


@pytest.mark.parametrize("seed", range(3))
def test_tasks_agree_with_scikit_learn_ties_included(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    logits = torch.randint(-3, 4, (2, 50, 4), generator=g).float()
    y = torch.randint(2, (50, 4), generator=g).float()
    y[torch.rand(50, 4, generator=g) < 0.4] = NONE
    y[:, 3] = torch.where(y[:, 3].isnan(), NONE, 1.0)  # one class: left out
    for metric, reference in ((mean_roc_auc, roc_auc_score), (mean_average_precision, average_precision_score)):
        for found, member in zip(metric(logits, y).tolist(), logits, strict=True):
            kept = [~y[:, c].isnan() for c in range(3)]
            each = [reference(y[kept[c], c].numpy(), member[kept[c], c].numpy()) for c in range(3)]
            assert found == pytest.approx(sum(each) / 3, abs=1e-12)


def test_regressions_agree_with_scikit_learn() -> None:
    predictions, y = torch.randn(2, 30, 1, dtype=torch.float64), torch.randn(30, 1, dtype=torch.float64)
    y[:5] = NONE
    for name, reference in (("mae", mean_absolute_error), ("rmse", root_mean_squared_error)):
        for found, member in zip(METRICS[name](predictions, y).tolist(), predictions, strict=True):
            assert found == pytest.approx(reference(y[5:].numpy(), member[5:].numpy()), abs=1e-12)


def test_errors_are_better_the_lower() -> None:
    values = torch.tensor([1.0, 2.0])
    assert METRICS["rmse"].gain(values).argmax() == METRICS["mae"].gain(values).argmax() == 0
    assert [name for name, metric in METRICS.items() if not metric.higher_is_better] == ["mae", "rmse"]
    assert METRICS["accuracy"].gain(values).argmax() == 1 and all(
        name == metric.name for name, metric in METRICS.items()
    )


def test_fixture_of_f1() -> None:
    y, predicted = torch.tensor([0, 0, 0, 1, 1, 2]), torch.tensor([0, 0, 1, 1, 1, 1])
    logits = torch.nn.functional.one_hot(predicted, 3).double()[None]
    assert macro_f1(logits, y).item() == pytest.approx(0.488889, abs=1e-6)
    assert accuracy(logits, y).item() == pytest.approx(0.666667, abs=1e-6), "micro-F1 of one label an item"
    several = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 1, 0]])
    found = torch.tensor([[[1.0, 0, 0], [0, 1, 1], [1, 0, 0]]]) - 0.5
    assert macro_f1(found, several).item() == pytest.approx(0.555556, abs=1e-6)
    assert micro_f1(found, several).item() == pytest.approx(0.666667, abs=1e-6)


def test_macro_f1_agrees_with_scikit_learn() -> None:
    logits, y = torch.randn(3, 40, 5), torch.randint(5, (40,))
    labels = (torch.rand(40, 5) > 0.6).float()
    for m, member in enumerate(logits):
        one = f1_score(y.numpy(), member.argmax(-1).numpy(), average="macro", labels=range(5), zero_division=0)
        many = f1_score(labels.numpy(), (member > 0).numpy(), average="macro", zero_division=0)
        assert macro_f1(logits, y)[m].item() == pytest.approx(one) and macro_f1(logits, labels)[
            m
        ].item() == pytest.approx(many)


@pytest.mark.parametrize("name", ["mean_roc_auc", "mean_average_precision", "mae", "rmse"])
@pytest.mark.parametrize(
    ("predictions", "y", "message"),
    [
        (torch.zeros(1, 0, 2), torch.zeros(0, 2), "no nodes to score"),
        (torch.zeros(1, 3, 2), torch.zeros(3), "do not go together"),
        (torch.full((1, 3, 2), NONE), torch.zeros(3, 2), "6 predictions are NaN"),
        (torch.zeros(1, 3, 2), torch.full((3, 2), NONE), "3 items without a single label"),
    ],
)
def test_what_cannot_be_scored_is_refused(name: str, predictions: torch.Tensor, y: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        METRICS[name](predictions, y)


@pytest.mark.parametrize("name", ["mean_roc_auc", "mean_average_precision"])
def test_one_class_only_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="none of 2 tasks has labelled items of both classes"):
        METRICS[name](torch.zeros(1, 3, 2), torch.ones(3, 2))
