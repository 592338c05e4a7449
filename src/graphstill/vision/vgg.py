"""VGG: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.registry import register_model
from graphstill.vision.layers import ConvNorm, fan_out_, narrow_classifier_
from graphstill.vision.model import ImageModel
from graphstill.vision.network import ConvNet, Stage, Tap

WIDTHS = (64, 128, 256, 512, 512)
# Convolutions in each of the five blocks. 11 to 19 are the paper's A, B, D and E; 8 is the benchmark's own.
BLOCKS = {8: (1, 1, 1, 1, 1), 11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


@register_model
@dataclass(frozen=True)
class VGG(ImageModel):
    """VGG with batch normalisation for small images: five blocks of 3x3 convolutions, one linear layer as classifier.

    As in the benchmark of contrastive representation distillation (CRD): maxima over 2x2 after the first three blocks
    only (at 32x32 the last two both see 4x4), then the mean over the map; convolutions keep their biases. Its feature
    lists take the first block for the stem, so that the stages are the last four. Convolutions start Kaiming normal by
    fan out, the classifier from N(0, 0.01²), biases at 0. The smoothing filter is behind every convolution; the code
    released with curriculum by smoothing (CBS) has it behind the second of each block only.

    Args:
        depth: 8, 11, 13, 16 or 19: convolutions, and three for the paper's linear layers, of which one is left.

    Raises:
        ConfigError: another depth.
    """

    name: ClassVar[str] = "vgg"
    smallest: ClassVar[int] = 8
    depth: int = 8

    def __post_init__(self) -> None:
        self._whole("depth")
        if self.depth not in BLOCKS:
            self._refuse("depth", f"one of {', '.join(map(str, BLOCKS))}")

    @property
    def stages(self) -> tuple[int, ...]:
        return WIDTHS[1:]

    def network(self, inputs: int, outputs: int) -> ConvNet:
        return Plain(inputs, BLOCKS[self.depth], outputs)


class Plain(ConvNet):
    """Blocks of convolutions, each with its normalisation, and maxima between them."""

    def __init__(self, inputs: int, blocks: Sequence[int], outputs: int) -> None:
        super().__init__()
        stages, before = [], inputs
        for width, convolutions in zip(WIDTHS, blocks, strict=True):
            widths = [before] + [width] * (convolutions - 1)
            stages.append(Stage(ConvNorm(w, width, 3, bias=True) for w in widths))
            before = width
        self.stages = nn.ModuleList(stages)
        self.classifier = nn.Linear(before, outputs)
        fan_out_(self)
        narrow_classifier_(self.classifier)

    def features(self, x: Tensor, kernel: Tensor | None) -> tuple[list[Tap], Tensor]:
        taps: list[Tap] = []
        for i, stage in enumerate(self.stages):
            taps.append(stage(x, kernel))
            x = F.max_pool2d(taps[-1].post, 2) if i < 3 else taps[-1].post
        return taps[1:], x
