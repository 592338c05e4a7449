"""Modules that keep what cannot be taken away, hold what is hard to copy, or write to their input."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close
from torch_geometric.nn import SAGEConv, SuperGATConv

from graphstill.errors import ConfigError
from graphstill.nn import ForeignCohort, foreign, wrap
from graphstill.nn.inputs import as_edge_index
from graphstill.ops import Noise
from tests.nn.keepers import CLASSES, FEATURES, graph_of


class Counts(nn.Module):
    """What it learns outside of parameters and buffers is lost when its weights are saved."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.passes = nn.Linear(FEATURES, CLASSES), 0

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        self.passes += 1
        return self.linear(x) * (1 + self.passes)


def test_what_cannot_be_forgotten_is_refused_by_name() -> None:
    cohort = foreign(Counts).build(FEATURES, CLASSES, [0])
    cohort(*graph_of(9, 1))
    with pytest.raises(ConfigError, match=r"Counts keeps .* from one pass to the next.*register what is"):
        cohort(*graph_of(9, 2))


class Honest(nn.Module):
    """Batch statistics, a constant, a counter that matters to nothing, noise in evaluation: no reason to refuse it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = SAGEConv(FEATURES, 4), nn.BatchNorm1d(4)
        self.out, self.scale, self.passes = nn.Linear(4, CLASSES), torch.tensor(2.0), 0

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        self.passes += 1
        h = self.norm(self.conv(x, edge_index)).relu() * self.scale
        return self.out(F.dropout(h, 0.5, training=True))


def test_no_false_alarm() -> None:
    cohort = foreign(Honest).build(FEATURES, CLASSES, [0, 1])
    for seed in range(4):
        x, graph = graph_of(9 + seed, seed)
        cohort(x, graph, Noise(cohort.seeds))
        cohort(x, graph)
    networks = list(cohort.networks)
    assert all(n.passes > 4 and float(n.scale) == 2.0 and float(n.norm.running_var.mean()) != 1.0 for n in networks)


class KeepsItsActivation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = SAGEConv(FEATURES, 4), SAGEConv(4, CLASSES)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        self.h = self.conv(x, edge_index).relu()
        self.seen.append(self.h)
        return self.out(self.h, edge_index)


@pytest.mark.parametrize("make", [KeepsItsActivation, lambda: SuperGATConv(FEATURES, CLASSES)])
def test_modules_that_hold_an_activation_are_copied(make: Callable[[], nn.Module]) -> None:
    (x, graph), module = graph_of(9, 1), make()
    module(x, graph.edge_index())
    cohort = wrap(module, FEATURES, CLASSES)
    with torch.no_grad():
        assert_close(cohort(x, graph).logits[0], module.eval()(x, graph.edge_index()))
    trained = foreign(module).build(FEATURES, CLASSES, [0, 1])
    assert trained(x, graph).logits.shape == (2, 9, CLASSES)


def test_what_cannot_be_copied_is_told() -> None:
    module = nn.Linear(FEATURES, CLASSES)
    module.lock = threading.Lock()  # type: ignore[assignment]
    with pytest.raises(ConfigError, match=r"Linear cannot be copied \(TypeError: .*give a function that makes a new"):
        wrap(module, FEATURES, CLASSES)


def in_place(how: str) -> Callable[[Tensor, Tensor, bool], Any]:
    def change(x: Tensor, edge_index: Tensor, training: bool) -> None:
        if how == "relu":
            F.relu(x, inplace=True)
        elif how == "dropout":
            F.dropout(x, 0.5, training, inplace=True)
        elif how == "data":
            x.data.mul_(2)
        elif how == "numpy":
            x.numpy()[:] += 1
        elif how == "edges":
            edge_index[0].fill_(0)

    return change


class Writes(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.linear, self.change = nn.Linear(FEATURES, CLASSES), in_place(how)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        self.change(x, edge_index, self.training)
        return self.linear(x + torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]]))


@pytest.mark.parametrize("how", ["relu", "dropout", "data", "numpy", "edges"])
def test_what_a_module_does_to_its_input_stays_with_it(how: str) -> None:
    x, graph = graph_of(9, 1)
    as_given, edges = x.clone(), graph.edge_index()
    cohort = foreign(lambda: Writes(how)).build(FEATURES, CLASSES, [0, 1])
    assert isinstance(cohort, ForeignCohort)
    noise = Noise(cohort.seeds)
    first = cohort(x, graph).logits
    for _ in range(3):
        cohort(x, graph, noise)
        assert torch.equal(cohort(x, graph).logits, first)
    assert torch.equal(x, as_given) and torch.equal(graph.edge_index(), edges)
    assert torch.equal(as_edge_index(graph), edges)


class Learns(nn.Module):
    """What it keeps is of its weights: on one graph too, another set of weights gives something else."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.scale = nn.Linear(FEATURES, CLASSES), nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if "first" not in self.__dict__:
            self.first = float(self.scale.detach())
        return self.linear(x) * (self.scale / self.first)


def test_what_is_kept_of_the_weights_is_refused_on_one_graph() -> None:
    cohort, (x, graph) = foreign(Learns).build(FEATURES, CLASSES, [0]), graph_of(9, 1)
    assert isinstance(cohort, ForeignCohort)
    cohort(x, graph)
    for _ in range(2):
        cohort(x, graph, Noise(cohort.seeds))
        with torch.no_grad():
            cohort.networks[0].scale.add_(1)
    with pytest.raises(ConfigError, match="Learns keeps 'first'"):
        cohort(x, graph)


def test_noise_in_evaluation_repeats_and_takes_nothing_of_the_users() -> None:
    cohort, (x, graph) = foreign(Honest).build(FEATURES, CLASSES, [0]), graph_of(9, 1)
    before = torch.get_rng_state()
    assert torch.equal(cohort(x, graph).logits, cohort(x, graph).logits)
    assert torch.equal(torch.get_rng_state(), before)
