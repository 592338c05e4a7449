"""The model zoo: ``gs.models.GCN(hidden=16)``, ``gs.models.ResNet(depth=8)``, ``gs.models.foreign`` for any module."""

from graphstill.nn import (
    APPNP,
    GAT,
    GCN,
    GCNII,
    GIN,
    MLP,
    MODELS,
    PLP,
    ROD,
    SGC,
    GraphSAGE,
    Model,
    foreign,
    make_model,
)
from graphstill.vision import VGG, WRN, MobileNetV2, ResNet, ResNet50, ShuffleNetV1, ShuffleNetV2

__all__ = [
    "APPNP",
    "GAT",
    "GCN",
    "GCNII",
    "GIN",
    "MLP",
    "MODELS",
    "PLP",
    "ROD",
    "SGC",
    "VGG",
    "WRN",
    "GraphSAGE",
    "MobileNetV2",
    "Model",
    "ResNet",
    "ResNet50",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "foreign",
    "make_model",
]
