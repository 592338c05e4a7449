"""Closed forms of the soft-target losses (fixtures F2 and F3)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphstill.losses import (
    bernoulli_kl,
    binary_cross_entropy,
    cross_entropy,
    judged_fake,
    judged_real,
    soft_target_kl,
    softmax_kl,
)

Z_S = torch.tensor([[[1.0, 2, 3]]], dtype=torch.float64)
Z_T = torch.tensor([[[3.0, 1, 0]]], dtype=torch.float64)


@pytest.mark.parametrize(("temperature", "expected"), [(1, 1.685124), (4, 2.154541), (10, 2.143332), (1000, 2.111524)])
def test_softmax_kl(temperature: float, expected: float) -> None:
    assert softmax_kl(Z_T, Z_S, temperature).item() == pytest.approx(expected, abs=1e-6)


def test_softmax_kl_limit_is_the_centred_distance() -> None:
    centred = (Z_S - Z_S.mean(-1, keepdim=True)) - (Z_T - Z_T.mean(-1, keepdim=True))
    assert softmax_kl(Z_T, Z_S, 1e4).item() == pytest.approx((centred.square().sum() / 6).item(), rel=1e-4)


def test_bernoulli_kl_is_the_mean_fixture_times_labels() -> None:
    assert bernoulli_kl(Z_T, Z_S).item() == pytest.approx(3 * 0.369290, abs=3e-6)
    bce = F.binary_cross_entropy_with_logits(Z_S, Z_T.sigmoid())
    assert bce.item() == pytest.approx(0.858029, abs=1e-6)
    entropy = F.binary_cross_entropy_with_logits(Z_T, Z_T.sigmoid())
    assert (bernoulli_kl(Z_T, Z_S) / 3).item() == pytest.approx((bce - entropy).item(), abs=1e-9)


def test_bernoulli_kl_limit_is_an_eighth_of_the_squared_distance() -> None:
    assert bernoulli_kl(Z_T, Z_S, 1e3).item() == pytest.approx((Z_S - Z_T).square().sum().item() / 8, rel=1e-4)


@pytest.mark.parametrize("multi_label", [False, True])
def test_zero_at_the_target_with_zero_gradient(multi_label: bool) -> None:
    z = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    loss = soft_target_kl(z.detach(), z, 3.0, multi_label)
    loss.sum().backward()
    assert loss.abs().max() < 1e-12 and z.grad is not None and z.grad.abs().max() < 1e-12


def test_a_shared_target_broadcasts_over_members() -> None:
    z = torch.randn(3, 5, 4, dtype=torch.float64)
    t = torch.randn(1, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(softmax_kl(t, z, 2.0), softmax_kl(t.expand(3, -1, -1), z, 2.0))


def test_supervised_losses_equal_torch() -> None:
    z, y = torch.randn(3, 6, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 1, 0])
    torch.testing.assert_close(cross_entropy(z, y), torch.stack([F.cross_entropy(m, y) for m in z]))
    labels = torch.randint(2, (6, 4)).double()
    expected = torch.stack([F.binary_cross_entropy_with_logits(m, labels) for m in z])
    torch.testing.assert_close(binary_cross_entropy(z, labels), expected)
    missing = labels.clone()
    missing[0] = float("nan")
    expected = torch.stack([F.binary_cross_entropy_with_logits(m[1:], labels[1:]) for m in z])
    torch.testing.assert_close(binary_cross_entropy(z, missing), expected)


def test_judgements() -> None:
    scores = torch.tensor([[0.0, 0.0], [3.0, -1.0]])
    real = F.binary_cross_entropy_with_logits(scores, torch.ones(2, 2), reduction="none").mean(-1)
    fake = F.binary_cross_entropy_with_logits(scores, torch.zeros(2, 2), reduction="none").mean(-1)
    torch.testing.assert_close(judged_real(scores), real)
    torch.testing.assert_close(judged_fake(scores), fake)
