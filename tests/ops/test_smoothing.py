"""The Gaussian filter against its definition: the kernel's figures, the identity and the box, borders, linearity."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from graphstill.errors import ConfigError
from graphstill.ops import blurs, filter_maps, gaussian_filter, gaussian_kernel


@pytest.mark.parametrize(
    ("sigma", "centre"),
    [(1.0, 0.204), (0.81, 0.268), (0.9**4, 0.378), (0.9**6, 0.557), (0.9**10, 0.938), (0.9**12, 0.9925)],
)
def test_centre_weights_of_the_annealed_kernel(sigma: float, centre: float) -> None:
    assert gaussian_kernel(sigma)[1, 1].item() == pytest.approx(centre, abs=6e-4)


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("sigma", [0.0, 1e-200, 0.3, 1.0, 7.0, math.inf])
def test_kernel_is_a_symmetric_mean(sigma: float, size: int) -> None:
    kernel = gaussian_kernel(sigma, size, torch.float64)
    assert kernel.shape == (size, size) and kernel.sum().item() == pytest.approx(1.0)
    for other in (kernel.T, kernel.flip(0), kernel.flip(1)):
        assert torch.equal(kernel, other)


def test_kernel_is_the_density_on_the_pixels() -> None:
    at = torch.arange(-2.0, 3.0, dtype=torch.float64)
    density = torch.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * 0.7**2))
    assert_close(gaussian_kernel(0.7, 5, torch.float64), density / density.sum())


def test_identity_and_box_are_the_limits() -> None:
    identity = torch.zeros(3, 3)
    identity[1, 1] = 1.0
    assert torch.equal(gaussian_kernel(0.0), identity) and torch.equal(gaussian_kernel(1e-3), identity)
    assert_close(gaussian_kernel(1e4), torch.full((3, 3), 1 / 9))


def test_filter_that_changes_nothing_is_left_out() -> None:
    x = torch.randn(2, 3, 5, 5)
    for sigma in (0.0, 0.1, 0.18):
        assert not blurs(sigma) and gaussian_filter(x, sigma) is x
    for sigma in (0.182, 1.0, math.inf):
        assert blurs(sigma) and not torch.equal(gaussian_filter(x, sigma), x)
    assert gaussian_kernel(0.18)[1, 1] > 1 - 1e-6 >= gaussian_kernel(0.182, dtype=torch.float64)[1, 1]


@pytest.mark.parametrize("size", [3, 5])
def test_constants_stay_inside_and_lose_the_mass_beyond_the_border(size: int) -> None:
    kernel, middle = gaussian_kernel(1.0, size, torch.float64), size // 2
    out = gaussian_filter(torch.full((1, 2, 8, 8), 3.0, dtype=torch.float64), 1.0, size)
    assert_close(
        out[..., middle:-middle, middle:-middle], torch.full_like(out, 3.0)[..., : 8 - 2 * middle, middle:-middle]
    )
    assert_close(out[0, :, 0, 0], (3 * kernel[middle:, middle:].sum()).expand(2))
    assert_close(out[0, :, 0, 4], (3 * kernel[middle:].sum()).expand(2))


def test_filter_is_linear_self_adjoint_and_keeps_channels_apart() -> None:
    x, y = torch.randn(2, 2, 3, 6, 5, dtype=torch.float64)
    f = lambda maps: gaussian_filter(maps, 0.8)  # noqa: E731
    assert_close(f(2 * x - y), 2 * f(x) - f(y))
    assert_close((f(x) * y).sum(), (x * f(y)).sum())
    assert_close(f(x)[:, 1:2], f(x[:, 1:2]))
    assert f(x).shape == x.shape
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1.0
    assert_close(gaussian_filter(point, 0.8)[0, 0, 1:4, 1:4], gaussian_kernel(0.8))


def test_layout_of_the_maps_stays_and_gradients_flow() -> None:
    kernel = gaussian_kernel(1.0)
    x = torch.randn(2, 3, 6, 6).contiguous(memory_format=torch.channels_last).requires_grad_()
    out = filter_maps(x, kernel)
    assert out.is_contiguous(memory_format=torch.channels_last)
    assert_close(out, filter_maps(x.contiguous(), kernel))
    (gradient,) = torch.autograd.grad(out, x, torch.ones_like(out))
    assert_close(gradient, gaussian_filter(torch.ones_like(x), 1.0))


@pytest.mark.parametrize("call", [(-1.0, 3), (float("nan"), 3), (1.0, 4), (1.0, 0), (1.0, 3.0), (1.0, True)])
def test_refusals(call: tuple[float, int]) -> None:
    for function in (gaussian_kernel, blurs):
        with pytest.raises(ConfigError, match="Where: gaussian_kernel"):
            function(*call)
    with pytest.raises(ConfigError, match=r"shape \[3, 4, 4\].*Pass feature maps"):
        gaussian_filter(torch.ones(3, 4, 4), 1.0)
