"""Plans of every architecture, compiled to ONNX and run by onnxruntime itself, against the network in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from graphstill.deploy.ensemble import ensemble_logits, ensemble_plan
from graphstill.deploy.families import plan_of
from graphstill.deploy.onnx_graph import compile_dense, compile_plan
from graphstill.deploy.plan import Array, Dense, Plan, Propagate
from graphstill.deploy.quantize import feed
from graphstill.errors import ConfigError, ExportError
from graphstill.nn import GCN, GIN, MODELS, SGC, Cohort, GraphSAGE, KnownLabels, Model, StackedCohort, TransductiveModel
from tests.nn import parts

SPECS: list[Model] = [
    *(spec for spec in parts.SPECS if not isinstance(spec, TransductiveModel)),
    GCN(hidden=20, layers=3, activation="elu"),
    GraphSAGE(hidden=20, layers=3),
    GIN(hidden=20, layers=2),
    SGC(hops=3),
]
EDGES = parts.edges().numpy()
NO_EDGES = np.zeros((2, 0), np.int64)


def random_cohort(spec: Model, inputs: int, members: int = 1) -> StackedCohort:
    """Weights that no initialisation gives: biases, scales and statistics that are not 0 and 1."""
    cohort = spec.build(inputs, parts.CLASSES, range(members))
    assert isinstance(cohort, StackedCohort)
    generator = torch.Generator().manual_seed(5)
    for name, tensor in cohort.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        tensor.copy_(0.5 + noise.abs() if name.endswith("running_var") else tensor + 0.3 * noise)
    return cohort


def run(model: bytes, x: Array, edge_index: Array) -> Array:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = [port.name for port in session.get_inputs()]
    logits: Array = session.run(None, feed(inputs, x, edge_index))[0]
    return logits


def graphs(inputs: int) -> list[tuple[torch.Tensor, Array]]:
    """Awkward ones: shuffled edges with repeats and self-loops, one edge more than once, no edges, a single node."""
    x = torch.randn(parts.NODES, inputs, generator=torch.Generator().manual_seed(6))
    twisted = np.ascontiguousarray(EDGES[:, ::-1])
    return [
        (x, twisted),
        (x[:5], np.array([[0, 0, 1, 2, 2], [1, 1, 1, 0, 2]])),
        (x, NO_EDGES),
        (x[:1], NO_EDGES),
        (x[:1], np.zeros((2, 3), np.int64)),
    ]


@torch.no_grad()
def check(plan: Plan, network: Any, inputs: int) -> None:
    model = compile_plan(plan)
    for x, edge_index in graphs(inputs):
        expected = network(x, torch.from_numpy(edge_index)).numpy()
        np.testing.assert_allclose(run(model, x.numpy(), edge_index), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_plan_computes_what_torch_does(spec: Model) -> None:
    """With fewer features than hidden units, where x may be summed first, and with more than may be."""
    for inputs in (parts.FEATURES, 300):
        cohort = random_cohort(spec, inputs)
        check(plan_of(cohort), cohort.member(0), inputs)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_an_ensemble_is_the_mean_probability(spec: Model, multi_label: bool) -> None:
    cohort = random_cohort(spec, parts.FEATURES, members=3)
    members = [cohort.member(i) for i in range(3)]

    def mean(x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        logits = torch.stack([member(x, edge_index) for member in members]).double()
        if multi_label:
            return torch.logit(logits.sigmoid().mean(0))
        return logits.softmax(-1).mean(0).log()

    plan = ensemble_plan([cohort], multi_label)
    check(plan, mean, parts.FEATURES)
    single = plan_of(cohort.select([0]))
    assert plan.hops == single.hops, "neighbours are summed once for all members"


def test_an_ensemble_of_different_architectures() -> None:
    cohorts = [random_cohort(spec, 300, members=2) for spec in (SPECS[0], SPECS[1], GCN(hidden=5, self_loops=False))]
    members = [cohort.member(i) for cohort in cohorts for i in range(2)]

    def mean(x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return torch.stack([member(x, edge_index).double().softmax(-1) for member in members]).mean(0).log()

    check(ensemble_plan(cohorts, False), mean, 300)


def test_the_log_of_a_mean_that_underflows_is_finite() -> None:
    logits = torch.tensor([[[200.0, 0.0]], [[190.0, 0.0]]])
    expected = np.log(np.exp([-200.0, -190.0]).mean())
    assert ensemble_logits(logits, False)[0, 1].item() == pytest.approx(expected)
    assert ensemble_logits(logits, True)[0, 0].item() == pytest.approx(-np.log(np.exp([-200.0, -190.0]).mean()))


def brute_force(step: Propagate, x: Array, edge_index: Array) -> Array:
    """The definition, edge by edge."""
    edges = [(j, i) for j, i in edge_index.T.tolist() if not (step.self_loops and i == j)]
    edges += [(i, i) for i in range(len(x))] if step.self_loops else []
    degree = np.bincount([i for _, i in edges], minlength=len(x)) if edges else np.zeros(len(x))
    out = np.zeros(x.shape)
    for j, i in edges:
        weight = {"sum": 1.0, "mean": 1.0 / degree[i], "gcn": (degree[j] * degree[i] or np.inf) ** -0.5}[step.norm]
        out[i] += weight * x[j]
    return out


@pytest.mark.parametrize("self_loops", [True, False])
@pytest.mark.parametrize("norm", ["gcn", "mean", "sum"])
def test_propagation_by_its_definition(norm: str, self_loops: bool) -> None:
    step = Propagate("x", "logits", norm, self_loops)
    model = compile_plan(Plan(parts.FEATURES, parts.FEATURES, (step,)))
    for x, edge_index in graphs(parts.FEATURES):
        expected = brute_force(step, x.numpy(), edge_index)
        np.testing.assert_allclose(run(model, x.numpy(), edge_index), expected, rtol=1e-5, atol=1e-5)


def test_products_come_before_sums_where_that_is_narrower() -> None:
    def first(spec: Model, inputs: int) -> list[str]:
        return [step["op"] for step in plan_of(random_cohort(spec, inputs)).describe()[:2]]

    for spec in (GCN(hidden=12), GIN(hidden=12)):
        assert first(spec, 300) == ["project", "propagate"]
        assert first(spec, 9)[0] == "propagate"
    widths = [step["op"] for step in plan_of(random_cohort(SGC(hops=2), 300)).describe()]
    assert widths == ["project", "propagate", "propagate", "dense"], "at the width of the classes"
    # Wide features may be sparse: they are multiplied first even where that widens them.
    assert first(GCN(hidden=500), 300) == ["project", "propagate"]


def test_each_dense_step_is_a_file_of_its_own() -> None:
    """Registers in, registers out, and nothing that looks at the graph."""
    import onnx

    plan = plan_of(random_cohort(SPECS[2], 300))
    for step, told in zip(plan.steps, plan.describe(), strict=True):
        if isinstance(step, Dense):
            model = onnx.load_from_string(compile_dense(step))
            assert [port.name for port in model.graph.input] == told["in"]
            assert [port.name for port in model.graph.output] == told["out"]
            assert not {node.op_type for node in model.graph.node} & {"Gather", "ScatterND"}


def test_the_graph_is_opset_18_with_its_weights_inside() -> None:
    import onnx

    model = onnx.load_from_string(compile_plan(plan_of(random_cohort(SPECS[0], 9))))
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    used = {name for node in model.graph.node for name in node.input}
    assert {tensor.name for tensor in model.graph.initializer} <= used, "no weight twice, none unused"


def test_every_registered_model_has_a_plan_or_belongs_to_one_graph() -> None:
    planned = {spec.name for spec in SPECS}
    for name, model in MODELS.items():
        if name not in planned and model.takes == "graph":
            cohort: Cohort = model().build(9, 4, [0], KnownLabels.none(14))
            with pytest.raises(ExportError, match="one graph"):
                plan_of(cohort)


def test_smoothed_features_are_refused_alone_and_in_an_ensemble() -> None:
    cohort = GCN(hidden=4).build(9, 4, [0, 1])
    cohort.smooth(1.0)
    assert isinstance(cohort, StackedCohort)
    for make in (lambda: plan_of(cohort.select([1])), lambda: ensemble_plan([cohort], False)):
        with pytest.raises(ConfigError, match="selected while its features were smoothed"):
            make()
