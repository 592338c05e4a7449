"""A module that keeps something of a graph: on another graph it computes what a module computes that never saw one."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from graphstill.nn import ForeignCohort, foreign, wrap
from graphstill.ops import Adjacency, Noise
from tests.nn.keepers import CLASSES, FEATURES, KEEPERS, Layer, clean, graph_of

every = pytest.mark.parametrize("name", KEEPERS)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    clean()


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
