"""ResNet: He, Zhang, Ren and Sun, Deep Residual Learning for Image Recognition, CVPR 2016; for small images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from graphstill.nn.registry import register_model
from graphstill.vision.layers import ConvNorm, fan_out_, relu_
from graphstill.vision.model import ImageModel
from graphstill.vision.network import ConvNet, Stage, Tap, run_stages


@register_model
@dataclass(frozen=True)
class ResNet(ImageModel):
    """The paper's CIFAR network (section 4.2): three stages of basic blocks, strided from the second on.

    Shortcuts that change shape are 1x1 convolutions with normalisation, as in the benchmark of contrastive
    representation distillation (CRD) and unlike the paper, which pads with zeros. That benchmark's resnet20 is
    ``ResNet(depth=20)``, its resnet32x4 ``ResNet(depth=32, width=4)``. Convolutions start Kaiming normal by fan out,
    the classifier as torch does.

    Args:
        depth: 6n + 2: convolutions and classifier, with n blocks a stage.
        width: factor on the stages' 16, 32 and 64 channels. The stem has 16 times it, at most the benchmark's 32.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "resnet"
    depth: int = 20
    width: float = 1.0

    def __post_init__(self) -> None:
        self._depth(6, 2)
        self._channels("width", 16)

    @property
    def stages(self) -> tuple[int, ...]:
        return tuple(int(self.width * channels) for channels in (16, 32, 64))

    def network(self, inputs: int, outputs: int) -> ConvNet:
        blocks, stem = (self.depth - 2) // 6, min(self.stages[0], 32)
        stages, before = [], stem
        for i, width in enumerate(self.stages):
            strides = [1 if i == 0 else 2] + [1] * (blocks - 1)
            widths = [before] + [width] * (blocks - 1)
            stages.append(Stage(BasicBlock(w, width, stride) for w, stride in zip(widths, strides, strict=True)))
            before = width
        return Residual(inputs, stem, stages, before, outputs)


@register_model
@dataclass(frozen=True)
class ResNet50(ImageModel):
    """ResNet-50's bottlenecks behind a CIFAR stem: a 3x3 convolution of 64 channels, stride 1, no pooling.

    The teacher of that name in the benchmark of contrastive representation distillation (CRD). The stride is on the
    3x3 convolution. Initial weights as for :class:`ResNet`.
    """

    name: ClassVar[str] = "resnet50"

    @property
    def stages(self) -> tuple[int, ...]:
        return (256, 512, 1024, 2048)

    def network(self, inputs: int, outputs: int) -> ConvNet:
        stages, before = [], 64
        for i, (width, blocks) in enumerate(zip(self.stages, (3, 4, 6, 3), strict=True)):
            strides = [1 if i == 0 else 2] + [1] * (blocks - 1)
            widths = [before] + [width] * (blocks - 1)
            stages.append(Stage(Bottleneck(w, width, stride) for w, stride in zip(widths, strides, strict=True)))
            before = width
        return Residual(inputs, 64, stages, before, outputs)


class Residual(ConvNet):
    """A stem, and stages of residual blocks."""

    def __init__(self, inputs: int, stem: int, stages: Sequence[Stage], width: int, outputs: int) -> None:
        super().__init__()
        self.stem = ConvNorm(inputs, stem, 3)
        self.stages = nn.ModuleList(stages)
        self.classifier = nn.Linear(width, outputs)
        fan_out_(self)

    def features(self, x: Tensor, kernel: Tensor | None) -> tuple[list[Tap], Tensor]:
        taps = run_stages(relu_(self.stem(x, kernel)), self.stages, kernel)  # type: ignore[arg-type]
        return taps, taps[-1].post


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; the last activation is the stage's."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3, stride)
        self.second = ConvNorm(outputs, outputs, 3)
        self.shortcut = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        out: Tensor = self.second(relu_(self.first(x, kernel)), kernel)
        return out.add_(self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, a quarter as wide inside."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        inside = outputs // 4
        self.reduce = ConvNorm(inputs, inside, 1)
        self.middle = ConvNorm(inside, inside, 3, stride)
        self.expand = ConvNorm(inside, outputs, 1)
        self.shortcut = shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        out = relu_(self.middle(relu_(self.reduce(x)), kernel))
        out = self.expand(out)
        return out.add_(self.shortcut(x))


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 and inputs == outputs else ConvNorm(inputs, outputs, 1, stride)
