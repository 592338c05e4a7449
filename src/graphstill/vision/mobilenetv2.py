"""MobileNetV2: Sandler, Howard, Zhu, Zhmoginov and Chen, Inverted Residuals and Linear Bottlenecks, CVPR 2018."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from graphstill.nn.layers import Layers
from graphstill.nn.registry import register_model
from graphstill.vision.layers import ConvNorm, fan_out_, narrow_classifier_, relu_
from graphstill.vision.model import GENTLE, ImageModel
from graphstill.vision.network import ConvNet, Tap

# Channels at width 1, blocks, and the first block's stride of each group (the paper's table 2, less one stride: the
# benchmark halves a 32x32 image four times). The taps are after TAPPED.
GROUPS = ((16, 1, 1), (24, 2, 1), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
TAPPED = (1, 2, 4, 6)


@register_model
@dataclass(frozen=True)
class MobileNetV2(ImageModel):
    """Inverted residuals, as in the benchmark of contrastive representation distillation (CRD) at half width.

    A stage ends in a linear bottleneck: no activation follows, and ``pre`` and ``post`` are one tensor. The pooled
    vector is not the mean of the last stage, but of the 1x1 convolution to 1280 channels (rectified) behind it.
    Rectified without the paper's bound of 6, and with a 1x1 convolution in the first block too, as in that benchmark.
    Convolutions start Kaiming normal by fan out, the classifier from N(0, 0.01²), biases at 0.

    Args:
        width: factor on the channels, rounded down; the last 1280 grow with it, but do not shrink.
        expansion: how many times wider blocks are inside, the first one excepted.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "mobilenetv2"
    defaults: ClassVar[dict[str, Any]] = GENTLE
    width: float = 0.5
    expansion: int = 6

    def __post_init__(self) -> None:
        self._whole("expansion")
        self._positive("width")
        if self.width * 16 < 1:
            self._refuse("width", "at least 1/16, which leaves one channel")

    @property
    def stages(self) -> tuple[int, ...]:
        return tuple(int(GROUPS[i][0] * self.width) for i in TAPPED)

    def network(self, inputs: int, outputs: int) -> ConvNet:
        return Inverted(inputs, self.width, self.expansion, outputs)


class Inverted(ConvNet):
    """A strided stem, groups of inverted residuals, a wide 1x1 convolution."""

    def __init__(self, inputs: int, width: float, expansion: int, outputs: int) -> None:
        super().__init__()
        before, last = int(32 * width), int(1280 * max(width, 1.0))
        self.stem = ConvNorm(inputs, before, 3, stride=2)
        self.groups: Layers[Layers[InvertedResidual]] = Layers()
        for i, (channels, blocks, stride) in enumerate(GROUPS):
            widths = [before] + [int(channels * width)] * (blocks - 1)
            strides, before = [stride] + [1] * (blocks - 1), int(channels * width)
            factor = 1 if i == 0 else expansion
            pairs = zip(widths, strides, strict=True)
            self.groups.append(Layers(InvertedResidual(w, before, s, factor) for w, s in pairs))
        self.head = ConvNorm(before, last, 1)
        self.classifier = nn.Linear(last, outputs)
        fan_out_(self)
        narrow_classifier_(self.classifier)

    def features(self, x: Tensor, kernel: Tensor | None) -> tuple[list[Tap], Tensor]:
        taps: list[Tap] = []
        x = relu_(self.stem(x, kernel))
        for i, group in enumerate(self.groups):
            for block in group:
                x = block(x, kernel)
            if i in TAPPED:
                taps.append(Tap(x, x))
        return taps, relu_(self.head(x))


class InvertedResidual(nn.Module):
    """Widen, convolve each channel on its own, narrow without activation; beside a shortcut where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, factor: int) -> None:
        super().__init__()
        inside = inputs * factor
        self.widen = ConvNorm(inputs, inside, 1)
        self.depthwise = ConvNorm(inside, inside, 3, stride, groups=inside)
        self.narrow = ConvNorm(inside, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        out: Tensor = self.narrow(relu_(self.depthwise(relu_(self.widen(x)), kernel)))
        return out.add_(x) if self.residual else out
