"""Every convolution of the zoo, at small widths too, in a process of its own: one of a wrong kernel kills it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from graphstill.vision import WRN, ImageModel, MobileNetV2, ResNet
from graphstill.vision.layers import Conv2d
from tests.vision.parts import EVERY

NARROW: list[ImageModel] = [
    *(ResNet(depth=8, width=width) for width in (0.0625, 0.125, 0.1875, 0.25, 0.3125, 0.375, 0.4375, 1)),
    *(WRN(depth=10, width=width) for width in (0.0625, 0.125, 0.25, 1)),
    *(MobileNetV2(width=width) for width in (0.0625, 0.1, 0.5)),
]


def shapes() -> list[tuple[int, int, int, int, int]]:
    """Inputs, outputs, size, stride and groups of every convolution there is."""
    found = set()
    for spec in [*NARROW, *EVERY]:
        for channels in (1, 3):
            with torch.device("meta"):
                network = spec.network(channels, 10)
            for conv in network.modules():
                if isinstance(conv, Conv2d):
                    found.add((conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.stride[0], conv.groups))
    return sorted(found)


def train_all() -> None:
    """Forward and backward of each, in channels-last layout, with small blocks taken from the same heap between."""
    torch.set_num_threads(1)
    for inputs, outputs, size, stride, groups in shapes():
        conv = Conv2d(inputs, outputs, size, stride, groups).to(memory_format=torch.channels_last)
        for _ in range(3 if inputs < 32 else 1):
            x = (
                torch.randn(20 if inputs < 32 else 4, inputs, 8, 8)
                .to(memory_format=torch.channels_last)
                .requires_grad_()
            )
            conv(x).square().sum().backward()
            assert x.grad is not None and bool(x.grad.isfinite().all())
            held = [torch.empty(numbers) for numbers in range(1, 2000, 61)]
            del held


def test_no_convolution_of_the_zoo_corrupts_memory() -> None:
    strided = [shape for shape in shapes() if shape[2] == 1 and shape[3] > 1]
    assert {1, 2, 3, 4, 5, 6, 7, 8, 16} <= {inputs for inputs, *_ in strided}
    trial = subprocess.run(
        [sys.executable, "-c", "from tests.vision.test_narrow import train_all; train_all()"],
        env=os.environ | {"MALLOC_CHECK_": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert trial.returncode == 0, trial.stderr[-2000:]


@pytest.mark.parametrize(("inputs", "stride", "groups"), [(4, 2, 1), (3, 2, 1), (1, 3, 1), (6, 2, 2)])
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_narrow_strided_convolutions_compute_the_same(
    inputs: int, stride: int, groups: int, layout: torch.memory_format
) -> None:
    conv = Conv2d(inputs, 8, 1, stride, groups, bias=True).double()
    assert conv.unsafe
    x = torch.randn(5, inputs, 7, 9, dtype=torch.double).contiguous(memory_format=layout).requires_grad_()
    plain = x.detach().contiguous().requires_grad_()
    out, expected = conv(x), F.conv2d(plain, conv.weight, conv.bias, stride, groups=groups)
    assert_close(out, expected)
    weights = torch.randn_like(expected)
    gradients = torch.autograd.grad((out * weights).sum(), [x, conv.weight])
    assert_close(gradients, torch.autograd.grad((expected * weights).sum(), [plain, conv.weight]))
