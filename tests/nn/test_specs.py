"""Specifications: what they refuse, how they are found by name, what they recommend."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
import torch

import graphstill.models
from graphstill.errors import ConfigError
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
    make_model,
    register_model,
)
from tests.nn.parts import CLASSES, FEATURES, PLAIN, SEEDS, build, dense, graph, label


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (GCN, {"hidden": 0}),
        (GCN, {"hidden": 16.0}),
        (GCN, {"hidden": True}),
        (GCN, {"layers": 0}),
        (GCN, {"dropout": 1.0}),
        (GCN, {"dropout": -0.1}),
        (GCN, {"dropout": "0.5"}),
        (GCN, {"drop_edge": float("nan")}),
        (GCN, {"self_loops": 1}),
        (GCN, {"activation": "rellu"}),
        (GraphSAGE, {"drop_edge": 1.5}),
        (GAT, {"heads": 0}),
        (GAT, {"out_heads": -1}),
        (GAT, {"attention_dropout": 1.0}),
        (GAT, {"residual": "yes"}),
        (GIN, {"layers": -2}),
        (GIN, {"batch_norm": None}),
        (GCNII, {"alpha": 1.0}),
        (GCNII, {"lambda_": 0.0}),
        (GCNII, {"lambda_": float("inf")}),
        (SGC, {"hops": -1}),
        (SGC, {"dropout": 2}),
        (APPNP, {"alpha": -0.5}),
        (APPNP, {"hops": 2.5}),
        (MLP, {"batch_norm": "no"}),
        (MLP, {"activation": None}),
        (PLP, {"hops": 0}),
        (PLP, {"layers": -1}),
        (PLP, {"scores": "tra"}),
        (PLP, {"attention_dropout": 1.0}),
        (PLP, {"released": 1}),
        (ROD, {"hops": 0}),
        (ROD, {"dropout": 1.0}),
    ],
)
def test_options_out_of_range_are_refused(make: type[Model], options: dict[str, Any]) -> None:
    key, value = next(iter(options.items()))
    with pytest.raises(ConfigError) as error:
        make(**options)
    said = str(error.value)
    assert f"{key}={value!r}" in said and make.__name__ in said and "give" in said


def test_a_misspelt_activation_gets_a_hint() -> None:
    with pytest.raises(ConfigError, match="did you mean 'relu'"):
        GCN(activation="rellu")


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ((0, 3, [0]), "inputs=0"),
        ((3, 2.0, [0]), "outputs=2.0"),
        ((3, 3, []), "seeds="),
        ((3, 3, [0.5]), "seeds="),
        ((3, 3, 4), "seeds=4"),
    ],
)
def test_build_refuses(arguments: tuple[Any, Any, Any], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        GCN().build(*arguments)


def test_models_by_name() -> None:
    assert make_model("gat", hidden=4, heads=2) == GAT(hidden=4, heads=2)
    with pytest.raises(ConfigError, match="unknown model 'gatt': did you mean 'gat'"):
        make_model("gatt")
    with pytest.raises(ConfigError, match="unknown option 'hiden' of model 'gcn': did you mean 'hidden'"):
        make_model("gcn", hiden=3)
    with pytest.raises(ConfigError, match="layers=0 in GCN"):
        make_model("gcn", layers=0)


def test_a_name_can_be_taken_once() -> None:
    @dataclass(frozen=True)
    class Other(GCN):
        pass

    with pytest.raises(ConfigError, match=r"'gcn' is taken by GCN"):
        register_model(Other)
    assert MODELS["gcn"] is GCN
    assert register_model(GCN) is GCN


@pytest.mark.parametrize("spec", PLAIN, ids=label)
def test_options_make_the_same_model_again(spec: Model) -> None:
    assert make_model(spec.name, **spec.options()) == spec
    assert getattr(graphstill.models, type(spec).__name__) is type(spec)


@pytest.mark.parametrize("spec", PLAIN, ids=label)
def test_recommended_settings_name_parameters_that_exist(spec: Model) -> None:
    defaults = spec.defaults
    assert defaults.keys() == {"lr", "weight_decay", "epochs", "patience"}
    assert 0 < defaults["lr"] <= 1 and defaults["epochs"] >= 100
    decay = defaults["weight_decay"]
    names = [name for name, _ in build(spec).named_parameters()]
    for prefix in decay if isinstance(decay, dict) else ():
        assert any(name.startswith(prefix) for name in names), prefix


def test_execution_is_picked_by_size() -> None:
    cohort = build(GCN(hidden=6))
    assert not cohort.loops(graph())
    wide = GCN(hidden=200_000).allocate(FEATURES, CLASSES, SEEDS)
    assert wide.widest == 200_000 and wide.loops(graph())
    with pytest.raises(ConfigError, match="execution='fast'"):
        cohort.execution = "fast"


def test_building_is_independent_of_torchs_random_state() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = build(GAT(hidden=3))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(1)
    second = build(GAT(hidden=3))
    assert torch.equal(first(dense(), graph()).logits, second(dense(), graph()).logits)


def test_importing_does_not_import_pyg() -> None:
    code = "import sys, graphstill.models; print([m for m in sys.modules if m.startswith('torch_geometric')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(run.stdout) == []
