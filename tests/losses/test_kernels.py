"""Scales taken from the data: features may be multiplied by any number, and no gradient points along that direction."""

from __future__ import annotations

import pytest
import torch

from graphstill.losses import for_kernel, relu_features


@pytest.mark.parametrize("kernel", ["rbf", "l2", "exponential", "sigmoid"])
def test_a_scale_from_the_data_makes_the_scale_irrelevant(kernel: str) -> None:
    x = torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True)
    scaled = for_kernel(kernel, x)  # type: ignore[arg-type]
    torch.testing.assert_close(for_kernel(kernel, 37 * x), scaled)  # type: ignore[arg-type]
    (scaled**3 + scaled.sin()).sum().backward()
    assert x.grad is not None and (x * x.grad).sum((1, 2)).abs().max() < 1e-10 < x.grad.abs().max()


def test_random_features_too() -> None:
    x = torch.randn(2, 7, 3, dtype=torch.float64, requires_grad=True)
    directions = torch.randn(2, 3, 5, dtype=torch.float64)
    features = relu_features(x, directions)
    torch.testing.assert_close(relu_features(0.01 * x, directions), features)
    features.square().sum().backward()
    assert x.grad is not None and (x * x.grad).sum((1, 2)).abs().max() < 1e-10 < x.grad.abs().max()
