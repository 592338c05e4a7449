"""Modules that keep something of a graph, each in another place."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch_geometric.nn import APPNP, GCN2Conv, GCNConv, SGConv, SSGConv
from torch_geometric.utils import degree

from graphstill.ops import Adjacency

FEATURES, CLASSES = 5, 3
GLOBAL: dict[str, Tensor] = {}
NAMED: Tensor | None = None


def graph_of(nodes: int, seed: int) -> tuple[Tensor, Adjacency]:
    g = torch.Generator().manual_seed(seed)
    edges = torch.randint(nodes, (2, 4 * nodes), generator=g)
    return torch.randn(nodes, FEATURES, generator=g), Adjacency.from_edge_index(edges, nodes)


class Layer(nn.Module):
    """Mean over sources, with an inverse degree that subclasses keep in their own way."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(FEATURES, CLASSES)

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        raise AssertionError

    def compute(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return degree(edge_index[1], len(x)).clamp(min=1).reciprocal()[:, None]

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        sums = torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]])
        return self.linear(sums * self.inverse(x, edge_index))


class InAttribute(Layer):
    kept: Tensor | None = None

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = self.compute(x, edge_index)
        return self.kept


class BehindAFlag(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.built = False

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if not self.built:
            self.kept, self.built = self.compute(x, edge_index), True
        return self.kept


class InADictionary(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, list[Tensor]] = {"all": []}

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if not self.kept["all"]:
            self.kept["all"].append(self.compute(x, edge_index))
        return self.kept["all"][0]


class InABuffer(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", None)

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.kept is None:
            self.kept = self.compute(x, edge_index)
        return self.kept


class Box:
    value: Tensor | None = None


class InAnObject(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.box = Box()

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.box.value is None:
            self.box.value = self.compute(x, edge_index)
        return self.box.value


class InTheClass(Layer):
    kept: Tensor | None = None

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if type(self).kept is None:
            type(self).kept = self.compute(x, edge_index)
        kept = type(self).kept
        assert kept is not None
        return kept


class InAGlobal(Layer):
    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if "kept" not in GLOBAL:
            GLOBAL["kept"] = self.compute(x, edge_index)
        return GLOBAL["kept"]


class ByNumberOfNodes(Layer):
    """Keyed by what two graphs can share."""

    @functools.lru_cache(maxsize=4)  # noqa: B019
    def by_size(self, nodes: int) -> Tensor:
        return self.compute(*self.now)

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        self.now = (x, edge_index)
        return self.by_size(len(x))


class ByACall:
    """What is called is an object of its own."""

    def __init__(self) -> None:
        self.boxes = [Box()]

    def __call__(self, value: Callable[[], Tensor]) -> Tensor:
        if self.boxes[0].value is None:
            self.boxes[0].value = value()
        return self.boxes[0].value


class InACallable(Layer):
    def __init__(self) -> None:
        super().__init__()
        self.once = ByACall()

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.once(lambda: self.compute(x, edge_index))


def remembered(value: Callable[[], Tensor], stored: dict[str, Tensor] = {}) -> Tensor:  # noqa: B006
    if "kept" not in stored:
        stored["kept"] = value()
    return stored["kept"]


class InADefault(Layer):
    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return remembered(lambda: self.compute(x, edge_index))


def once(method: Callable[..., Tensor]) -> Callable[..., Tensor]:
    stored: dict[str, Tensor] = {}

    @functools.wraps(method)
    def wrapped(self: nn.Module, x: Tensor, edge_index: Tensor) -> Tensor:
        if "kept" not in stored:
            stored["kept"] = method(self, x, edge_index)
        return stored["kept"]

    return wrapped


class InAClosure(Layer):
    @once
    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.compute(x, edge_index)


class InANamedGlobal(Layer):
    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        global NAMED
        if NAMED is None:
            NAMED = self.compute(x, edge_index)
        return NAMED


class TwoLayers(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.second(self.first(x, edge_index).relu(), edge_index)


class Deep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = GCN2Conv(FEATURES, 0.1, cached=True), nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.out(self.conv(x, x, edge_index))


class Propagated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out, self.propagate = nn.Linear(FEATURES, CLASSES), APPNP(3, 0.1, cached=True)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.propagate(self.out(x), edge_index)


KEEPERS: dict[str, Callable[[], nn.Module]] = {
    "GCNConv": lambda: TwoLayers(GCNConv(FEATURES, 4, cached=True), GCNConv(4, CLASSES, cached=True)),
    "SGConv": lambda: SGConv(FEATURES, CLASSES, K=2, cached=True),
    "SSGConv": lambda: SSGConv(FEATURES, CLASSES, alpha=0.1, K=2, cached=True),
    "GCN2Conv": Deep,
    "APPNP": Propagated,
    "attribute": InAttribute,
    "flag": BehindAFlag,
    "dictionary": InADictionary,
    "buffer": InABuffer,
    "object": InAnObject,
    "class": InTheClass,
    "global": InAGlobal,
    "lru_cache": ByNumberOfNodes,
    "callable": InACallable,
    "default": InADefault,
    "closure": InAClosure,
    "assigned global": InANamedGlobal,
}


def clean() -> None:
    global NAMED
    GLOBAL.clear()
    InTheClass.kept, NAMED = None, None
    stored = remembered.__defaults__
    assert stored is not None
    stored[0].clear()
    closure = InAClosure.inverse.__closure__  # type: ignore[attr-defined]
    next(cell.cell_contents for cell in closure if isinstance(cell.cell_contents, dict)).clear()
