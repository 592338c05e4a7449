"""Missing labels and values: fixtures D2 (label smoothing) and G2 (four molecules, three tasks), no labels at all."""

from __future__ import annotations

import pytest
import torch

from graphstill.losses import (
    absolute_error,
    bernoulli_kl,
    binary_cross_entropy,
    bounded_by_teacher,
    cross_entropy,
    regression_to_teacher,
    smoothed_cross_entropy,
    squared_error,
)

NONE = torch.nan
Y = torch.tensor([[1, 0, NONE], [0, 1, 1], [1, NONE, 1], [0, 0, NONE]], dtype=torch.float64)
P = torch.tensor([[0.9, 0.2, 0.1], [0.4, 0.2, 0.5], [0.3, 0.9, 0.6], [0.3, 0.1, 0.7]], dtype=torch.float64)


@pytest.mark.parametrize(("mean", "expected"), [("entries", 0.590972), ("tasks", 0.597392)])
def test_fixture_of_missing_labels(mean: str, expected: float) -> None:
    logits = torch.stack([P.logit(), P.logit() + 1])
    found = binary_cross_entropy(logits, Y, mean)  # type: ignore[arg-type]
    assert found[0].item() == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(found[1], binary_cross_entropy(logits[1:], Y, mean)[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("mean", ["entries", "tasks"])
def test_a_batch_without_labels_gives_exactly_nothing(mean: str) -> None:
    logits = torch.randn(2, 4, 3, requires_grad=True)
    loss = binary_cross_entropy(logits, torch.full((4, 3), NONE), mean)  # type: ignore[arg-type]
    loss.sum().backward()
    assert loss.tolist() == [0, 0] and logits.grad is not None and not logits.grad.any()


def test_a_task_without_labels_in_the_batch_does_not_weigh() -> None:
    y = torch.cat([Y, torch.full((4, 1), NONE, dtype=torch.float64)], 1)
    logits = torch.cat([P.logit(), torch.full((4, 1), 9.0, dtype=torch.float64)], 1)[None]
    for mean in ("entries", "tasks"):
        torch.testing.assert_close(
            binary_cross_entropy(logits, y, mean), binary_cross_entropy(logits[..., :3], Y, mean)
        )  # type: ignore[arg-type]


def test_soft_labels_where_there_are_hard_ones_and_everywhere() -> None:
    """One column of logits 2 against 0: .327813 (fixture G4), where a softmax over it would say 0."""
    one, zero = torch.tensor([[[2.0]]], dtype=torch.float64), torch.zeros(1, 1, 1, dtype=torch.float64)
    assert bernoulli_kl(one, zero).item() == pytest.approx(0.327813, abs=1e-6)
    t, s = torch.randn(1, 4, 3, dtype=torch.float64), torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(bernoulli_kl(t, s, 2.0, torch.ones(4, 3).bool()), bernoulli_kl(t, s, 2.0))
    known = ~Y.isnan()
    by_entry = torch.stack(
        [bernoulli_kl(t[:, i : i + 1, j : j + 1], s[:, i : i + 1, j : j + 1]) for i, j in known.nonzero()]
    )
    torch.testing.assert_close(bernoulli_kl(t, s, known=known), by_entry.sum(0) / 4)
    nothing = bernoulli_kl(t, s, known=torch.zeros(4, 3).bool())
    nothing.sum().backward()
    assert nothing.tolist() == [0, 0] and s.grad is not None and not s.grad.any()


@pytest.mark.parametrize(
    ("label", "others", "every", "plain"), [(0, 0.740753, 0.640753, 0.340753), (1, 2.207420, 2.240754, 2.340753)]
)
def test_fixture_of_label_smoothing(label: int, others: float, every: float, plain: float) -> None:
    logits, y = torch.tensor([[[2.0, 0, 0, 0]]], dtype=torch.float64), torch.tensor([label])
    assert smoothed_cross_entropy(logits, y, 0.2, "others").item() == pytest.approx(others, abs=2e-6)
    assert smoothed_cross_entropy(logits, y, 0.2, "all").item() == pytest.approx(every, abs=2e-6)
    assert smoothed_cross_entropy(logits, y, 0.0, "others").item() == pytest.approx(plain, abs=2e-6)


def test_smoothing_over_all_classes_is_torchs_and_none_is_none() -> None:
    logits, y = torch.randn(3, 7, 4), torch.tensor([0, 1, 2, 3, 0, 1, 2])
    torchs = torch.stack([torch.nn.functional.cross_entropy(z, y, label_smoothing=0.3) for z in logits])
    torch.testing.assert_close(smoothed_cross_entropy(logits, y, 0.3), torchs)
    for spread in ("all", "others"):
        torch.testing.assert_close(smoothed_cross_entropy(logits, y, 0.0, spread), cross_entropy(logits, y))  # type: ignore[arg-type]


def test_missing_values_of_a_regression() -> None:
    prediction = torch.tensor([[[1.0, 2], [3, 4]], [[0, 0], [0, 0]]], requires_grad=True)
    y = torch.tensor([[2.0, NONE], [NONE, 1]])
    assert squared_error(prediction, y).tolist() == [5, 2.5] and absolute_error(prediction, y).tolist() == [2, 1.5]
    nothing = squared_error(prediction, y * NONE) + absolute_error(prediction, y * NONE)
    nothing.sum().backward()
    assert nothing.tolist() == [0, 0] and prediction.grad is not None and not prediction.grad.any()


def test_teachers_of_a_regression() -> None:
    t, s = torch.randn(1, 5, 2), torch.randn(3, 5, 2, requires_grad=True)
    torch.testing.assert_close(regression_to_teacher(t, s), (t - s).square().mean((1, 2)))
    torch.testing.assert_close(regression_to_teacher(t, s, 1e3), (t - s).square().mean((1, 2)) / 2)
    far = regression_to_teacher(t + 1e3, s, 0.5)
    (slope,) = torch.autograd.grad(far.sum(), s)
    torch.testing.assert_close(slope, torch.full_like(slope, -0.05))  # half over ten entries, however far
    y = torch.zeros(5, 2)
    assert bounded_by_teacher(t, t.expand(3, -1, -1), y).abs().max() == 0, "as good as the teacher is good enough"
    torch.testing.assert_close(bounded_by_teacher(t, t.expand(3, -1, -1), y, 0.1), t.square().mean((1, 2)).expand(3))
    (
        torch.testing.assert_close(bounded_by_teacher(y[None], s, y), squared_error(s, y)),
        "a perfect teacher never says stop",
    )
