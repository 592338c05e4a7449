"""One member: an image network that shows its stages, and the plain module that it is handed out as."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from torch import Tensor, nn

from graphstill.nn.layers import Layers
from graphstill.vision.layers import relu_


class Tap(NamedTuple):
    """A stage's maps ``[N, C, H, W]`` before and after its last activation; the same tensor where there is none."""

    pre: Tensor
    post: Tensor


class Traces(NamedTuple):
    """What a network returns: logits ``[N, classes]``, a tap a stage, and the pooled vector ``[N, D]``."""

    logits: Tensor
    taps: Sequence[Tap]
    pooled: Tensor


class ConvNet(nn.Module, ABC):
    """Base of the image networks: features, their mean over the map, and a linear classifier.

    The mean stands where the CIFAR networks pool a window of the size that is left at 32x32, so that any size will do.
    """

    classifier: nn.Linear

    @abstractmethod
    def features(self, x: Tensor, kernel: Tensor | None) -> tuple[list[Tap], Tensor]:
        """The taps, and the maps to be pooled.

        ``kernel`` ``[3, 3]`` filters what every 3x3 convolution returns, before normalisation; None: no filter.
        """

    def forward(self, x: Tensor, kernel: Tensor | None = None) -> Traces:
        taps, last = self.features(x, kernel)
        pooled = last.mean((2, 3))
        return Traces(self.classifier(pooled), taps, pooled)


class Stage(Layers[nn.Module]):
    """Blocks ``block(x, kernel)`` that leave their last activation to the stage, so that both its sides are seen."""

    def __init__(self, blocks: Iterable[nn.Module]) -> None:
        super().__init__(blocks)

    def forward(self, x: Tensor, kernel: Tensor | None) -> Tap:
        *blocks, last = self
        for block in blocks:
            x = relu_(block(x, kernel))
        pre: Tensor = last(x, kernel)
        return Tap(pre, pre.relu())


def run_stages(x: Tensor, stages: Iterable[Stage], kernel: Tensor | None) -> list[Tap]:
    """Stages one after another: a tap each."""
    taps: list[Tap] = []
    for stage in stages:
        taps.append(stage(x if not taps else taps[-1].post, kernel))
    return taps


class ImageMember(nn.Module):
    """``forward(images [N, channels, H, W]) -> logits [N, classes]``, in evaluation mode at first.

    Attributes:
        network: the weights.
        kernel: the smoothing filter that was on when the member was taken, which stays on; None where it was off.
    """

    def __init__(self, network: ConvNet, kernel: Tensor | None) -> None:
        super().__init__()
        self.network = network
        self.kernel: Tensor | None
        self.register_buffer("kernel", kernel)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.network(x, self.kernel).logits
        return logits
