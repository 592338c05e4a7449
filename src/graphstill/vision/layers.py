"""What the image networks are made of: convolutions with the smoothing site, batch normalisation, initial weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.ops import filter_maps
from graphstill.vision.narrow import corrupts, strided_pointwise


class Conv2d(nn.Conv2d):
    """A convolution padded by half its size, and the site of the smoothing filter, which comes right after it.

    Shapes:
        x: ``[N, inputs, H, W]``; kernel: ``[3, 3]``, the filter, or None for none; returns ``[N, outputs, H / stride,
        W / stride]``, sizes rounded up.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> None:
        super().__init__(inputs, outputs, size, stride, size // 2, groups=groups, bias=bias)
        self.unsafe = corrupts(inputs, size, stride)

    def forward(self, input: Tensor, kernel: Tensor | None = None) -> Tensor:
        out = strided_pointwise(input, self) if self.unsafe else super().forward(input)
        return out if kernel is None else filter_maps(out, kernel)


class BatchNorm2d(nn.Module):
    """``torch.nn.BatchNorm2d`` with its default options, less its count of batches: all its state is floating point.

    The count does nothing where the momentum (0.1) is given.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, self.training)


class ConvNorm(nn.Module):
    """A convolution, the smoothing filter where the convolution is 3x3, and batch normalisation. No activation."""

    def __init__(
        self, inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv = Conv2d(inputs, outputs, size, stride, groups, bias)
        self.norm = BatchNorm2d(outputs)
        self.smoothed = size == 3

    def forward(self, x: Tensor, kernel: Tensor | None = None) -> Tensor:
        out: Tensor = self.norm(self.conv(x, kernel if self.smoothed else None))
        return out


def relu_(x: Tensor) -> Tensor:
    """Rectifies in place, for maps that nothing else reads: a sum, or what leaves a normalisation."""
    return F.relu(x, inplace=True)


def shuffle(x: Tensor, groups: int) -> Tensor:
    """Channels dealt out from their groups in turn: channel (g, i) becomes (i, g). In channels-last layout."""
    dealt = x.permute(0, 2, 3, 1).unflatten(-1, (groups, -1)).transpose(-1, -2).flatten(-2)
    return dealt.permute(0, 3, 1, 2)


def fan_out_(network: nn.Module) -> None:
    """Convolutions from N(0, 2 / (size² outputs)) (He et al. 2015, by fan out), their biases 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def narrow_classifier_(classifier: nn.Linear) -> None:
    """A classifier from N(0, 0.01²), its bias 0."""
    nn.init.normal_(classifier.weight, std=0.01)
    nn.init.zeros_(classifier.bias)
