"""Losses of several heads on one trunk, by closed forms."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from graphstill.losses import own_ensemble_kl, pair_cosines, similarity_bce


def logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("multi_label", [False, True])
def test_one_head_and_equal_heads_have_nothing_to_learn(multi_label: bool) -> None:
    z = logits(2, 1, 5, 3)
    for heads in (z, z.expand(-1, 4, -1, -1)):
        torch.testing.assert_close(own_ensemble_kl(heads, multi_label), torch.zeros(2, dtype=z.dtype))


def test_two_heads_by_hand() -> None:
    """Probabilities (.9, .1) and (.5, .5), their mean (.7, .3): the two KLs are added, nodes averaged."""
    p = torch.tensor([[0.9, 0.1], [0.5, 0.5]], dtype=torch.float64)
    kl = sum(0.7 * math.log(0.7 / a) + 0.3 * math.log(0.3 / b) for a, b in p.tolist())
    heads = p.log().view(1, 2, 1, 2)
    assert own_ensemble_kl(heads).item() == pytest.approx(kl, rel=1e-12)
    both = torch.cat([heads, heads[:, :1].expand(-1, 2, -1, -1)], 2)
    assert own_ensemble_kl(both).item() == pytest.approx(kl / 2, rel=1e-12)


def test_one_label_as_two_classes_or_as_one_of_several() -> None:
    """σ(z) is the softmax of (z, 0)."""
    z = logits(2, 3, 5, 1)
    pairs = torch.cat([z, torch.zeros_like(z)], -1)
    torch.testing.assert_close(own_ensemble_kl(z, multi_label=True), own_ensemble_kl(pairs))


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_ensemble_is_detached(multi_label: bool) -> None:
    """The gradient is that of the cross-entropy with the mean as a constant: (p_k − q) / n."""
    z = logits(2, 3, 5, 4).requires_grad_()
    (slope,) = torch.autograd.grad(own_ensemble_kl(z, multi_label).sum(), z)
    p = (z.sigmoid() if multi_label else z.softmax(-1)).detach()
    torch.testing.assert_close(slope, (p - p.mean(1, keepdim=True)) / 5)


def test_a_class_that_all_heads_rule_out() -> None:
    z = torch.tensor([[[[0.0, -300.0]], [[1.0, -300.0]]]], requires_grad=True)
    value = own_ensemble_kl(z)
    value.backward()
    assert value.isfinite().all() and z.grad is not None and z.grad.isfinite().all()


@pytest.mark.parametrize("members", [1, 2])
def test_cosines_of_each_members_own_or_shared_pairs(members: int) -> None:
    z = logits(2, 3, 5, 4)
    pairs = torch.randint(5, (2, members, 3, 6), generator=torch.Generator().manual_seed(1), dtype=torch.int32)
    found = pair_cosines(z, pairs)
    assert found.shape == (2, 3, 6)
    for m in range(2):
        for h in range(3):
            first, second = pairs[:, m % members, h].long()
            torch.testing.assert_close(found[m, h], F.cosine_similarity(z[m, h, first], z[m, h, second]))


def test_logits_of_zero_have_no_direction() -> None:
    z = torch.tensor([[[[0.0, 0.0], [1.0, 2.0]]]], requires_grad=True)
    cosine = pair_cosines(z, torch.tensor([0, 1]).view(2, 1, 1, 1))
    cosine.sum().backward()
    assert cosine.item() == 0 and z.grad is not None and z.grad.isfinite().all()


def test_values_and_slopes_of_the_cross_entropy() -> None:
    """softplus(−1) = 0.3133 for a similar pair in agreement; nothing for a dissimilar one that looks alike."""
    one = torch.ones(3, 7)
    torch.testing.assert_close(similarity_bce(one, True), torch.full((3,), 0.3133), atol=1e-4, rtol=0)
    assert torch.equal(similarity_bce(one, False), torch.zeros(3))
    assert similarity_bce(-one, False)[0].item() == pytest.approx(2 * math.log1p(math.exp(-1)))
    cosine = torch.tensor([0.5, -0.5], requires_grad=True)
    weighted = similarity_bce(cosine, True)
    assert weighted.item() == pytest.approx((0.5 * math.log1p(math.exp(-0.5)) - 0.5 * math.log1p(math.exp(0.5))) / 2)
    weighted.backward()
    # The weight is a constant: its own slope, softplus(∓0.5), is not in the gradient.
    sigma = [1 / (1 + math.exp(0.5)), 1 / (1 + math.exp(-0.5))]
    assert cosine.grad is not None
    torch.testing.assert_close(cosine.grad, torch.tensor([-0.5 * sigma[0], 0.5 * sigma[1]]) / 2)
