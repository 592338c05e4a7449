"""Any module as a model: how it is called, initialised, tapped, copied, and that its noise is its member's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close
from torch_geometric.data import Data
from torch_geometric.nn import GCN as PyGGCN
from torch_geometric.nn import MLP as PyGMLP
from torch_geometric.nn import GCNConv, Sequential
from torch_geometric.nn import Linear as LazyLinear

from graphstill.errors import CheckpointError, ConfigError, DataError
from graphstill.nn import ForeignCohort, foreign, wrap
from tests.nn.parts import CLASSES, FEATURES, NODES, SEEDS, dense, edges, graph, noise, sparse


class Net(nn.Module):
    """Takes ``(x, edge_index)``; dropout through ``F.dropout``; no ``reset_parameters`` of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = GCNConv(FEATURES, 6)
        self.norm = nn.BatchNorm1d(6)
        self.second = GCNConv(6, CLASSES)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = self.norm(self.first(x, edge_index)).relu()
        return self.second(F.dropout(x, 0.5, self.training), edge_index)


class DataNet(Net):
    def forward(self, data: Data) -> Tensor:  # type: ignore[override]
        return super().forward(data.x, data.edge_index)


class Direct(nn.Module):
    """A parameter that nothing initialises again."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(FEATURES, CLASSES))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return x @ self.weight


def build(factory: Any, seeds: list[int] = SEEDS, taps: tuple[str, ...] = ()) -> ForeignCohort:
    cohort = foreign(factory, taps).build(FEATURES, CLASSES, seeds)
    assert isinstance(cohort, ForeignCohort)
    return cohort


FACTORIES = {
    "edges": Net,
    "data": DataNet,
    "features": lambda: PyGMLP([FEATURES, 6, CLASSES], dropout=0.5),
    "plain torch": lambda: nn.Sequential(nn.Linear(FEATURES, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, CLASSES)),
    "pyg model": lambda: PyGGCN(FEATURES, 6, 2, CLASSES, dropout=0.5),
    "pyg sequential": lambda: Sequential(
        "x, edge_index", [(GCNConv(FEATURES, CLASSES), "x, edge_index -> x"), nn.Dropout()]
    ),
    "lazy": lambda: nn.Sequential(LazyLinear(-1, 6), nn.Dropout(), LazyLinear(-1, CLASSES)),
}
every = pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES.keys())


@every
def test_members_are_the_modules(factory: Any) -> None:
    cohort = build(factory)
    out = cohort(sparse(torch.float32), graph())
    assert out.logits.shape == (3, NODES, CLASSES) and out.hidden == ()
    assert not cohort.stacked
    for i in range(3):
        member = cohort.member(i)
        assert not member.training
        assert_close(member(dense(torch.float32), edges()), out.logits[i])
        assert_close(cohort.to_pyg(i)(dense(torch.float32), edges()), out.logits[i])
    assert not torch.equal(out.logits[0], out.logits[1])


@every
def test_one_member_is_the_same_alone_and_among_many(factory: Any) -> None:
    many, one = build(factory), build(factory, [7])
    x = dense(torch.float32)
    assert torch.equal(many(x, graph()).logits[1], one(x, graph()).logits[0])
    out, alone = many(x, graph(), noise(step=3)).logits, one(x, graph(), noise([7], step=3)).logits
    assert torch.equal(out[1], alone[0])
    out[1].square().sum().backward()
    alone[0].square().sum().backward()
    for ours, theirs in zip(many.member_parameters(1), one.member_parameters(0), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad)
    assert not any(parameter.grad is not None and parameter.grad.any() for parameter in many.member_parameters(0))


@every
def test_training_is_random_repeatable_and_leaves_the_global_generator_alone(factory: Any) -> None:
    cohort, x = build(factory), dense(torch.float32)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = cohort(x, graph(), noise(step=1)).logits
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(5)
    assert torch.equal(cohort(x, graph(), noise(step=1)).logits, first)
    assert not torch.equal(cohort(x, graph(), noise(step=2)).logits, first)
    build(factory)
    assert cohort(x, graph()).logits.equal(cohort(x, graph()).logits)


def test_members_draw_different_dropout() -> None:
    cohort = wrap([nn.Dropout(0.5)] * 2, FEATURES, FEATURES)
    kept = cohort(torch.ones(NODES, FEATURES), graph(), noise([1, 2])).logits
    assert not torch.equal(kept[0], kept[1])


def test_deterministic_is_evaluation() -> None:
    cohort, x = build(Net), dense(torch.float32)
    expected = cohort(x, graph()).logits
    cohort.deterministic = True
    assert torch.equal(cohort(x, graph(), noise()).logits, expected)


def test_a_module_is_initialised_again_for_each_member() -> None:
    module = Net()
    with torch.no_grad():
        module.first.lin.weight.fill_(7.0)
        module.norm.running_mean.fill_(3.0)
    cohort = build(module)
    assert (module.first.lin.weight == 7.0).all()
    weights = [network.get_parameter("first.lin.weight") for network in cohort.networks]
    assert not torch.equal(weights[0], weights[1]) and not (weights[0] == 7.0).any()
    assert (cohort.networks[0].get_buffer("norm.running_mean") == 0).all()
    again = build(module)
    assert torch.equal(again.networks[2].get_parameter("first.lin.weight"), weights[2])


def test_a_module_that_cannot_be_initialised_again() -> None:
    module = Direct()
    assert torch.equal(build(module, [4]).networks[0].get_parameter("weight"), module.weight)
    with pytest.raises(ConfigError, match=r"Direct has weights.*3 members.*give a function"):
        build(module)
    assert not torch.equal(*(network.get_parameter("weight") for network in build(Direct, [0, 1]).networks))


def test_wrapping_keeps_weights_and_leaves_the_modules_as_they_are() -> None:
    modules = [Net().train(), Net().train()]
    cohort = wrap(modules, FEATURES, CLASSES, taps=["first"])
    x = dense(torch.float32)
    out = cohort(x, graph())
    assert all(module.training for module in modules)
    for i, module in enumerate(modules):
        assert_close(out.logits[i], module.eval()(x, edges()))
    assert_close(wrap(modules[0], FEATURES, CLASSES)(x, graph()).logits[0], out.logits[0])
    with pytest.raises(ConfigError, match="no module"):
        wrap([], FEATURES, CLASSES)


def test_taps() -> None:
    cohort = build(Net, taps=("first", "norm"))
    x = dense(torch.float32)
    out = cohort(x, graph())
    assert [layer.pre.shape for layer in out.hidden] == [(3, NODES, 6)] * 2
    for layer in out.hidden:
        assert layer.pre is layer.post is layer.dropped
    for i, network in enumerate(cohort.networks):
        assert_close(out.hidden[0].pre[i], network.get_submodule("first")(x, edges()))
        assert not network.get_submodule("first")._forward_hooks
    out.hidden[1].post.sum().backward()
    assert cohort.networks[0].get_parameter("first.lin.weight").grad is not None


def test_unknown_taps_name_the_modules() -> None:
    with pytest.raises(ConfigError, match=r"unknown tap 'frist'.*did you mean 'first'.*modules: first"):
        build(Net, taps=("frist",))


class Tuple(Net):
    def forward(self, x: Tensor, edge_index: Tensor) -> Any:
        return super().forward(x, edge_index), x


class Pooled(Net):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return super().forward(x, edge_index).mean(0)


class Unused(Net):
    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return GCNConv.forward(self.second, self.norm(self.first(x, edge_index)), edge_index)


@pytest.mark.parametrize(
    ("factory", "taps", "said"),
    [
        (Tuple, (), "its output is tuple"),
        (Pooled, (), r"its output has shape \[4\].*must be \[14, 4\]"),
        (lambda: PyGMLP([FEATURES, 5]), (), r"its output has shape \[14, 5\]"),
        (Unused, ("second",), r"its tap 'second' is NoneType"),
    ],
)
def test_what_is_returned_is_checked(factory: Any, taps: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        build(factory, taps=taps)(dense(torch.float32), graph())


def test_wrong_features_are_refused() -> None:
    with pytest.raises(DataError, match=r"features of shape \[14, 10\]"):
        build(Net)(dense(torch.float32, width=10), graph())


def test_own_features_for_each_member() -> None:
    cohort, x = build(Net), dense(torch.float32)
    own = torch.stack([x, x + 1, x - 1])
    out = cohort(own, graph()).logits
    assert_close(out[1], cohort(x + 1, graph()).logits[1])


def test_what_cannot_be_called_is_refused() -> None:
    class Three(nn.Module):
        def forward(self, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
            return x + edge_index + weight

    with pytest.raises(ConfigError, match=r"forward\(x, edge_index, weight\) of Three"):
        foreign(Three())
    with pytest.raises(ConfigError, match="factory=3"):
        foreign(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="the factory returned int"):
        build(lambda: 3)


def test_state_select_and_counts() -> None:
    cohort, other = build(Net), build(Net, [20, 21, 22])
    x = dense(torch.float32)
    cohort(x, graph(), noise())  # moves the running statistics
    expected = cohort(x, graph()).logits
    for i in range(3):
        other.load_member_state(i, cohort.member_state(i))
    assert torch.equal(other(x, graph()).logits, expected)
    chosen = cohort.select([2, 0])
    assert chosen.seeds == (9, 3)
    assert torch.equal(chosen(x, graph()).logits, expected[[2, 0]])
    with pytest.raises(CheckpointError, match=r"'first.bias' is missing"):
        other.load_member_state(0, {})
    assert foreign(Net).parameters_count(FEATURES, CLASSES) == sum(p.numel() for p in Net().parameters())
    assert len(list(cohort.parameters())) == 3 * len(list(Net().parameters()))
    state = cohort.member_state(0)
    with torch.no_grad():
        for parameter in cohort.member_parameters(0):
            parameter.add_(1)
    for name, parameter in cohort.networks[0].named_parameters():
        assert_close(state[name] + 1, parameter.detach())
