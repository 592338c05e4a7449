"""Narrow strided 1x1 convolutions, which torch's oneDNN computes wrongly on processors with AVX2 and no AVX-512."""

from __future__ import annotations

import os
import subprocess
import sys

import torch.nn.functional as F
from torch import Tensor, nn

# Input channels from which the kernel in question is not chosen: a vector of AVX2 holds eight numbers. Seen to corrupt
# the heap: 1 to 6 channels, any number of outputs, stride 2, images in channels-last layout, forward and backward.
LANES = 8

_TRIAL = """
import torch
torch.set_num_threads(1)
for inputs in (1, 3, 4, 6):
    conv = torch.nn.Conv2d(inputs, 8, 1, stride=2, bias=False).to(memory_format=torch.channels_last)
    for _ in range(8):
        x = torch.randn(20, inputs, 8, 8).to(memory_format=torch.channels_last).requires_grad_()
        conv(x).square().sum().backward()
        held = [torch.empty(size) for size in range(1, 4000, 37)]
"""


def corrupts(inputs: int, size: int, stride: int) -> bool:
    """Whether a convolution of this shape is one that may corrupt memory in channels-last layout."""
    return size == 1 and stride > 1 and inputs < LANES


def strided_pointwise(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """What a 1x1 convolution without padding computes, from the pixels that its stride meets, at stride 1."""
    down, across = conv.stride
    return F.conv2d(x[..., ::down, ::across], conv.weight, conv.bias, groups=conv.groups)


def corrupts_here() -> bool:
    """Whether this machine's torch has the fault: the convolution is tried in a process of its own, which dies of it.

    Takes as long as importing torch does. What dies unseen is not noticed: False means that nothing was seen.
    """
    environment = os.environ | {"MALLOC_CHECK_": "3"}
    trial = subprocess.run([sys.executable, "-c", _TRIAL], env=environment, capture_output=True, check=False)
    return trial.returncode < 0
