"""The model zoo: ``gs.models.GCN(hidden=16)``, ``gs.models.ResNet(depth=8)``, ``gs.models.foreign`` for any module.

>>> gs.models.make_model("gcn", hidden=16) == gs.models.GCN(hidden=16)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphstill.errors import nearest
from graphstill.nn import (
    APPNP,
    GAT,
    GCN,
    GCNII,
    GIN,
    GINE,
    MLP,
    MODELS,
    PLP,
    ROD,
    SGC,
    GraphSAGE,
    Model,
    OwnModel,
    find_model,
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
    "GINE",
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
    "OwnModel",
    "ResNet",
    "ResNet50",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "find_model",
    "foreign",
    "make_model",
]


if not TYPE_CHECKING:  # a type checker knows the names above, each with its type

    def __getattr__(name: str) -> type[Model]:
        """A network by its name in recipes, in any letters: ``gs.models.SAGE`` is ``GraphSAGE``."""
        if not name.startswith("_"):
            if name.lower() in MODELS:
                return MODELS[name.lower()]
            classes = [cls.__name__ for cls in MODELS.values()]
            raise AttributeError(f"no model is called {name!r}: {nearest(name, [*classes, 'foreign'])}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
