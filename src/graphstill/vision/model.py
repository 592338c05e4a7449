"""Specifications of image networks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch

from graphstill.nn.model import Model
from graphstill.nn.seeded import seeded
from graphstill.vision.cohort import ImageCohort
from graphstill.vision.network import ConvNet

# The training that the CIFAR-100 benchmark of Tian, Krishnan and Isola (Contrastive Representation Distillation, ICLR
# 2020; their released train_student.py) gives every network, in batches of 64; MobileNetV2 and the ShuffleNets take
# the lower rate.
BENCHMARK: dict[str, Any] = {
    "optimizer": "sgd",
    "lr": 0.05,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "epochs": 240,
    "lr_steps": (150, 180, 210),
    "lr_factor": 0.1,
    "patience": None,
}
GENTLE: dict[str, Any] = {**BENCHMARK, "lr": 0.01}


class ImageModel(Model):
    """A network from images ``[N, channels, H, W]`` to logits ``[N, classes]``: ``inputs`` counts channels.

    Attributes:
        smallest: the least height and width that its pooling leaves anything of.
    """

    takes: ClassVar[Literal["graph", "image"]] = "image"
    defaults: ClassVar[dict[str, Any]] = BENCHMARK
    smallest: ClassVar[int] = 1

    @property
    @abstractmethod
    def stages(self) -> tuple[int, ...]:
        """Channels of each stage's maps, first to last: of the hidden layers before the pooled vector."""

    @abstractmethod
    def network(self, inputs: int, outputs: int) -> ConvNet:
        """One member, its initial weights drawn from torch's global random numbers."""

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> ImageCohort:
        """Weights are drawn here, each member's from its own seed; the global generator's state is left as it was."""
        networks = []
        for seed in seeds:
            with seeded(int(seed)):
                network = self.network(inputs, outputs)
            networks.append(network.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
        return ImageCohort(self, inputs, outputs, seeds, networks)

    def _channels(self, key: str, base: int) -> None:
        """That the width ``key`` gives whole numbers of channels."""
        self._positive(key)
        if not float(getattr(self, key) * base).is_integer():
            self._refuse(key, f"a number of which {base} times is whole, such as 0.5 or 2")

    def _depth(self, step: int, rest: int) -> None:
        self._whole("depth", minimum=step + rest)
        depth: int = getattr(self, "depth")  # noqa: B009 - an option of the families that have one
        if (depth - rest) % step:
            self._refuse("depth", f"{step}n + {rest}, such as {step + rest} or {3 * step + rest}")
