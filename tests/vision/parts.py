"""A small network of every family, images, and graphs without edges."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.ops import Adjacency, Noise
from graphstill.vision import (
    VGG,
    WRN,
    ImageCohort,
    ImageModel,
    MobileNetV2,
    ResNet,
    ResNet50,
    ShuffleNetV1,
    ShuffleNetV2,
)

CLASSES, SEEDS = 4, [3, 7]
SMALL: list[ImageModel] = [
    ResNet(depth=8, width=0.5),
    ResNet(depth=14, width=0.25),
    WRN(depth=16, width=0.5),
    VGG(depth=8),
    MobileNetV2(width=0.25, expansion=2),
    ShuffleNetV1(),
    ShuffleNetV2(),
]
EVERY: list[ImageModel] = [*SMALL, ResNet50()]


def graph(images: int = 4) -> Adjacency:
    return Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.int64), images)


def images(count: int = 4, size: int = 8, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def noise(seeds: list[int] = SEEDS) -> Noise:
    return Noise(seeds)


def build(spec: ImageModel, seeds: list[int] = SEEDS, channels: int = 3) -> ImageCohort:
    cohort = spec.build(channels, CLASSES, seeds)
    assert isinstance(cohort, ImageCohort)
    return cohort
