"""Wide residual networks: Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from graphstill.nn.layers import Layers
from graphstill.nn.registry import register_model
from graphstill.vision.layers import BatchNorm2d, Conv2d, fan_out_, relu_
from graphstill.vision.model import ImageModel
from graphstill.vision.network import ConvNet, Tap


@register_model
@dataclass(frozen=True)
class WRN(ImageModel):
    """WRN-depth-width: three stages of blocks that normalise and rectify before they convolve.

    A stage's own output has no activation of its own: what reads it, the next stage's first block or the last
    normalisation, normalises and rectifies it. The taps are these two: ``pre`` is that normalisation of the stage's
    output (the convention of ReviewKD and of feature distillation for such teachers), ``post`` is ``pre`` rectified.
    ReviewKD's students of this family are tapped at the bare output instead, which is not offered.

    No dropout, as in the benchmark of contrastive representation distillation (CRD). Convolutions start Kaiming normal
    by fan out, the classifier as torch does with its bias at 0.

    Args:
        depth: 6n + 4, with n blocks a stage.
        width: factor on the stages' 16, 32 and 64 channels. The stem has 16.

    Raises:
        ConfigError: an option out of its range.
    """

    name: ClassVar[str] = "wrn"
    depth: int = 16
    width: float = 2.0

    def __post_init__(self) -> None:
        self._depth(6, 4)
        self._channels("width", 16)

    @property
    def stages(self) -> tuple[int, ...]:
        return tuple(int(self.width * channels) for channels in (16, 32, 64))

    def network(self, inputs: int, outputs: int) -> ConvNet:
        return WideResidual(inputs, (self.depth - 4) // 6, self.stages, outputs)


class WideResidual(ConvNet):
    """A stem, blocks, and a last normalisation."""

    def __init__(self, inputs: int, blocks: int, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.stem = Conv2d(inputs, 16, 3)
        before = [16, *widths]
        self.first: Layers[PreActivation] = Layers(
            PreActivation(before[i], width, 1 if i == 0 else 2) for i, width in enumerate(widths)
        )
        self.rest: Layers[Layers[PreActivation]] = Layers(
            Layers(PreActivation(width, width, 1) for _ in range(blocks - 1)) for width in widths
        )
        self.norm = BatchNorm2d(widths[-1])
        self.classifier = nn.Linear(widths[-1], outputs)
        fan_out_(self)
        nn.init.zeros_(self.classifier.bias)

    def features(self, x: Tensor, kernel: Tensor | None) -> tuple[list[Tap], Tensor]:
        taps: list[Tap] = []
        x = self.stem(x, kernel)
        for i, (first, rest) in enumerate(zip(self.first, self.rest, strict=True)):
            pre: Tensor = first.enter(x)
            post = pre.relu()
            if i:
                taps.append(Tap(pre, post))
            x = first.leave(x, post, kernel)
            for block in rest:
                x = block.leave(x, relu_(block.enter(x)), kernel)
        pre = self.norm(x)
        taps.append(Tap(pre, pre.relu()))
        return taps, taps[-1].post


class PreActivation(nn.Module):
    """Normalise, rectify, convolve, twice, beside a shortcut; 1x1 and from the rectified input where widths differ.

    In two parts, so that what enters the block is seen: ``leave(x, relu(enter(x)), kernel)``.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.enter = BatchNorm2d(inputs)
        self.first = Conv2d(inputs, outputs, 3, stride)
        self.norm = BatchNorm2d(outputs)
        self.second = Conv2d(outputs, outputs, 3)
        self.shortcut = None if inputs == outputs and stride == 1 else Conv2d(inputs, outputs, 1, stride)

    def leave(self, x: Tensor, activated: Tensor, kernel: Tensor | None) -> Tensor:
        out: Tensor = self.second(relu_(self.norm(self.first(activated, kernel))), kernel)
        return out.add_(x if self.shortcut is None else self.shortcut(activated))
