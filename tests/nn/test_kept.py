"""A module that keeps something of a graph: on another graph it computes what a module computes that never saw one."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch_geometric.nn import APPNP, GCN2Conv, GCNConv, SGConv, SSGConv
from torch_geometric.utils import degree

from graphstill.nn import ForeignCohort, foreign, wrap
from graphstill.ops import Adjacency, Noise

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
every = pytest.mark.parametrize("name", KEEPERS)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    clean()


def clean() -> None:
    global NAMED
    GLOBAL.clear()
    InTheClass.kept, NAMED = None, None
    stored = remembered.__defaults__
    assert stored is not None
    stored[0].clear()
    closure = InAClosure.inverse.__closure__  # type: ignore[attr-defined]
    next(cell.cell_contents for cell in closure if isinstance(cell.cell_contents, dict)).clear()


def plain_outputs(cohort: ForeignCohort, x: Tensor, graph: Adjacency) -> Tensor:
    """Of modules made anew, with the same weights."""
    clean()
    modules = []
    for network in cohort.networks:
        fresh = KEEPERS[network.tag]()
        fresh.load_state_dict({k: v for k, v in network.state_dict().items() if k != "kept"})
        modules.append(fresh.eval())
    with torch.no_grad():
        return torch.stack([module(x.clone(), graph.edge_index()) for module in modules])


def made(name: str, members: int = 2) -> ForeignCohort:
    def factory() -> nn.Module:
        module = KEEPERS[name]()
        module.tag = name
        return module

    cohort = foreign(factory).build(FEATURES, CLASSES, list(range(members)))
    assert isinstance(cohort, ForeignCohort)
    return cohort


@every
@pytest.mark.parametrize("sizes", [(12, 9), (9, 12), (12, 12)])
def test_another_graph_is_seen_as_by_a_new_module(name: str, sizes: tuple[int, int]) -> None:
    cohort = made(name)
    for turn, (nodes, seed) in enumerate(((sizes[0], 1), (sizes[1], 2), (sizes[0], 1), (sizes[1], 3))):
        x, graph = graph_of(nodes, seed)
        cohort(x, graph, Noise(cohort.seeds)) if turn % 2 else None
        out = cohort(x, graph).logits
        again = cohort(x, graph).logits
        assert torch.equal(out, again)
        assert_close(out, plain_outputs(cohort, x, graph))
    member, (x, graph) = cohort.member(1), graph_of(7, 5)
    with torch.no_grad():
        assert_close(member(x, graph.edge_index()), plain_outputs(cohort, x, graph)[1])
        assert_close(cohort.select([1])(x, graph).logits[0], plain_outputs(cohort, x, graph)[1])


@every
def test_a_trained_module_that_has_run_elsewhere_is_as_good_as_new(name: str) -> None:
    (x, graph), (other_x, other) = graph_of(12, 1), graph_of(12, 2)
    module = KEEPERS[name]()
    module.tag = name
    module(other_x, other.edge_index())
    before = {k: v for k, v in vars(module).items() if not k.startswith("_")}
    cohort = wrap(module, FEATURES, CLASSES)
    assert_close(cohort(x, graph).logits, plain_outputs(cohort, x, graph))
    assert before == {k: v for k, v in vars(module).items() if not k.startswith("_")}, "the user's module is as it was"


def test_a_copy_of_a_cohort_runs_on_its_own() -> None:
    cohort, (x, graph) = made("attribute"), graph_of(9, 1)
    expected = cohort(x, graph).logits
    other = copy.deepcopy(cohort)
    assert torch.equal(other(x, graph).logits, expected)
    assert_close(other(*graph_of(12, 2)).logits, plain_outputs(other, *graph_of(12, 2)))
    assert torch.equal(cohort(x, graph).logits, expected)


def test_caches_work_while_the_graph_stays() -> None:
    cohort = made("GCNConv", 1)
    x, graph = graph_of(9, 1)
    cohort(x, graph)
    kept = cohort.networks[0].first._cached_edge_index
    cohort(x, graph, Noise(cohort.seeds))
    assert kept is not None and cohort.networks[0].first._cached_edge_index is kept


def test_no_buffer_appears_in_the_weights() -> None:
    cohort = made("buffer", 1)
    names = set(cohort.state_dict())
    cohort(*graph_of(9, 1))
    assert set(cohort.state_dict()) == names


def test_other_features_on_the_same_graph() -> None:
    cohort, (x, graph) = made("SGConv", 1), graph_of(9, 1)
    cohort(x, graph)
    assert_close(cohort(x + 1, graph).logits, plain_outputs(cohort, x + 1, graph))
    x.add_(1)
    assert_close(cohort(x, graph).logits, plain_outputs(cohort, x, graph))


class WritesToABuffer(Layer):
    """The number of nodes is not in its shape: only that an evaluation writes to it tells what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("stored", torch.full((50, 1), -1.0))

    def inverse(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.stored[0] < 0:
            self.stored[: len(x)] = self.compute(x, edge_index)
        return self.stored[: len(x)].clone()


class WritesToATensor(WritesToABuffer):
    def __init__(self) -> None:
        super().__init__()
        del self.stored
        self.stored = torch.full((50, 1), -1.0)


@pytest.mark.parametrize("layer", [WritesToABuffer, WritesToATensor])
def test_what_is_written_in_place_is_forgotten(layer: Callable[[], nn.Module]) -> None:
    cohort = foreign(layer).build(FEATURES, CLASSES, [0])
    assert isinstance(cohort, ForeignCohort)
    for nodes, seed in ((12, 1), (12, 2), (9, 3), (12, 1)):
        x, graph = graph_of(nodes, seed)
        cohort(x, graph, Noise(cohort.seeds))
        fresh = layer()
        fresh.load_state_dict(cohort.networks[0].state_dict())
        with torch.no_grad():
            assert_close(cohort(x, graph).logits[0], fresh(x, graph.edge_index()))
