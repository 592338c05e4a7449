"""ShuffleNet: Zhang, Zhou, Lin and Sun, CVPR 2018. ShuffleNet V2: Ma, Zhang, Zheng and Sun, ECCV 2018."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.registry import register_model
from graphstill.vision.layers import ConvNorm, relu_, shuffle
from graphstill.vision.model import GENTLE, ImageModel
from graphstill.vision.network import ConvNet, Stage, Tap, run_stages

STEM = 24
BLOCKS = (4, 8, 4)
GROUPS = 3


@register_model
@dataclass(frozen=True)
class ShuffleNetV1(ImageModel):
    """ShuffleNet with three groups at full width, for small images.

    As in the benchmark of contrastive representation distillation (CRD): the stem is a 1x1 convolution without stride
    or pooling, a block is a quarter as wide inside, and a rectifier follows its depthwise convolution, which the
    paper's has not. Initial weights are torch's own.
    """

    name: ClassVar[str] = "shufflenetv1"
    defaults: ClassVar[dict[str, Any]] = GENTLE

    @property
    def stages(self) -> tuple[int, ...]:
        return (240, 480, 960)

    def network(self, inputs: int, outputs: int) -> ConvNet:
        return Shuffled(inputs, [Stage(units_v1(*pair)) for pair in pairs(self.stages)], self.stages[-1], None, outputs)


@register_model
@dataclass(frozen=True)
class ShuffleNetV2(ImageModel):
    """ShuffleNet V2 at full width, for small images.

    As in the benchmark of contrastive representation distillation (CRD), with a 1x1 convolution without stride or
    pooling as its stem. The pooled vector is not the mean of the last stage, but of the 1x1 convolution to 1024
    channels (rectified) behind it. ``pre`` has the channels in the order of ``post``, after the shuffle; the released
    code's are in the order before it. Initial weights are torch's own.
    """

    name: ClassVar[str] = "shufflenetv2"
    defaults: ClassVar[dict[str, Any]] = GENTLE

    @property
    def stages(self) -> tuple[int, ...]:
        return (116, 232, 464)

    def network(self, inputs: int, outputs: int) -> ConvNet:
        return Shuffled(inputs, [Stage(units_v2(*pair)) for pair in pairs(self.stages)], self.stages[-1], 1024, outputs)


class Shuffled(ConvNet):
    """A 1x1 stem, stages that begin with a stride, and, for the second version, a last 1x1 convolution."""

    def __init__(self, inputs: int, stages: list[Stage], width: int, head: int | None, outputs: int) -> None:
        super().__init__()
        self.stem = ConvNorm(inputs, STEM, 1)
        self.stages = nn.ModuleList(stages)
        self.head = None if head is None else ConvNorm(width, head, 1)
        self.classifier = nn.Linear(head or width, outputs)

    def features(self, x: Tensor, kernel: Tensor | None) -> tuple[list[Tap], Tensor]:
        taps = run_stages(relu_(self.stem(x)), self.stages, kernel)  # type: ignore[arg-type]
        last = taps[-1].post
        return taps, last if self.head is None else relu_(self.head(last))


class GroupedUnit(nn.Module):
    """The first version's: grouped 1x1, shuffle, depthwise 3x3, grouped 1x1, added to its input.

    A strided one is joined with the input's means instead, in the channels that are left.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        made = outputs - inputs if stride == 2 else outputs
        inside = made // 4
        # The stem's few channels are not grouped (the paper's section 3.2).
        self.groups = 1 if inputs == STEM else GROUPS
        self.reduce = ConvNorm(inputs, inside, 1, groups=self.groups)
        self.depthwise = ConvNorm(inside, inside, 3, stride, groups=inside)
        self.expand = ConvNorm(inside, made, 1, groups=GROUPS)

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        out = relu_(self.reduce(x))
        out = relu_(self.depthwise(shuffle(out, self.groups) if self.groups > 1 else out, kernel))
        out = self.expand(out)
        if self.stride == 1:
            return out.add_(x)
        return torch.cat([out, F.avg_pool2d(x, 3, stride=2, padding=1)], dim=1)


class SplitUnit(nn.Module):
    """The second version's: half of the channels pass, half go through 1x1, depthwise 3x3, 1x1; then a shuffle."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.reduce = ConvNorm(half, half, 1)
        self.depthwise = ConvNorm(half, half, 3, groups=half)
        self.expand = ConvNorm(half, half, 1)

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        # The half that passes is rectified already, and stays as it is when the stage rectifies the whole.
        passing, own = x.chunk(2, dim=1)
        own = self.expand(self.depthwise(relu_(self.reduce(own)), kernel))
        return shuffle(torch.cat([passing, own], dim=1), 2)


class StridedUnit(nn.Module):
    """The second version's first of a stage: two branches on all channels, each of half the new width."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        half = outputs // 2
        self.left_depthwise = ConvNorm(inputs, inputs, 3, stride=2, groups=inputs)
        self.left = ConvNorm(inputs, half, 1)
        self.reduce = ConvNorm(inputs, half, 1)
        self.depthwise = ConvNorm(half, half, 3, stride=2, groups=half)
        self.expand = ConvNorm(half, half, 1)

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tensor:
        left = self.left(self.left_depthwise(x, kernel))
        right = self.expand(self.depthwise(relu_(self.reduce(x)), kernel))
        return shuffle(torch.cat([left, right], dim=1), 2)


def pairs(stages: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """For each stage the width before it, its own, and its number of blocks."""
    return list(zip((STEM, *stages[:-1]), stages, BLOCKS, strict=True))


def units_v1(before: int, width: int, blocks: int) -> list[nn.Module]:
    return [GroupedUnit(before, width, 2), *(GroupedUnit(width, width, 1) for _ in range(blocks - 1))]


def units_v2(before: int, width: int, blocks: int) -> list[nn.Module]:
    return [StridedUnit(before, width), *(SplitUnit(width) for _ in range(blocks - 1))]
