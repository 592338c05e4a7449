"""Modules of the user's own, by torch's exporter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import graphstill as gs
from graphstill.deploy.layers import layer_named_in
from graphstill.deploy.onnx_graph import OPSET
from graphstill.deploy.rewrites import POSITIONS, REDUCTIONS, count_axes_from_the_front
from graphstill.errors import ExportError
from graphstill.runtime import Predictor, verify
from tests.tiny import tiny_task


class Rows(nn.Module):
    """No graph at all."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


class Convolutions(nn.Module):
    """PyG's layers, with self-loops and normalisation inside."""

    def __init__(self) -> None:
        super().__init__()
        from torch_geometric.nn import GCNConv

        self.first, self.second = GCNConv(64, 8), GCNConv(8, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.second(self.first(x, edge_index).relu(), edge_index)
        return logits


class TakesData(Rows):
    def forward(self, data: Any) -> Tensor:  # type: ignore[override]
        return super().forward(data.x)


class Branches(Rows):
    """What the exporter cannot follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if x.sum() > 0 else -x)


def trained(module: type[nn.Module]) -> gs.Run:
    return gs.train(gs.models.foreign(module), tiny_task(), training=gs.Training(epochs=2))


@pytest.mark.parametrize("module", [Rows, Convolutions])
def test_a_module_of_its_own(module: type[nn.Module], tmp_path: Path) -> None:
    import onnx

    run, task = trained(module), tiny_task()
    path = run.export(tmp_path / "student", task=task)
    batch = task.full_batch()
    x, edge_index = batch.x, batch.graph.edge_index()
    with torch.no_grad():
        expected = run.member()(x, edge_index).numpy()
    predictor = Predictor(path)
    by_edges = module is Convolutions
    assert predictor.engines == ["onnx"] and predictor.needs_graph == by_edges
    found = predictor.logits(np.asarray(x), edge_index.numpy() if by_edges else None)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert verify(path).ok
    model = onnx.load(path / "model.onnx")
    sums = [node for node in model.graph.node if node.op_type == "ScatterND"]
    assert len(sums) == 2 * by_edges, "neighbours are added as whole rows"
    assert json.loads((path / "config.json").read_text())["model"]["name"] == "foreign"


@pytest.mark.parametrize(("module", "reason"), [(TakesData, "give the module a forward"), (Branches, "branches on")])
def test_what_cannot_be_exported_is_refused(module: type[nn.Module], reason: str, tmp_path: Path) -> None:
    run = trained(module)
    with pytest.raises(ExportError, match=reason):
        run.export(tmp_path / "student")
    twice = gs.train(gs.models.foreign(module), tiny_task(), seeds=2, training=gs.Training(epochs=1))
    with pytest.raises(ExportError, match="an ensemble of"):
        twice.export(tmp_path / "student", member="ensemble")
    assert list(tmp_path.iterdir()) == []


class Layers(nn.Module):
    """Two layers of a kind, whose messages are reduced over axes counted from the end."""

    def __init__(self, make: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        self.first, self.second = make(64, 6), make(6, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.second(self.first(x, edge_index).relu(), edge_index)
        return logits


def conv(name: str, **options: Any) -> Callable[[int, int], nn.Module]:
    import torch_geometric.nn

    return lambda inputs, outputs: getattr(torch_geometric.nn, name)(inputs, outputs, **options)


HEADS = {"heads": 2, "concat": False}
DEGREES = torch.tensor([0, 3, 5, 4, 3])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("GATConv", HEADS),
        ("GATv2Conv", HEADS | {"add_self_loops": False}),
        ("TransformerConv", HEADS | {"beta": True}),
        ("GeneralConv", {"attention": True, "heads": 2}),
        ("PNAConv", {"aggregators": ["mean", "max", "min", "std"], "scalers": ["amplification"], "deg": DEGREES}),
        ("GENConv", {"aggr": "softmax"}),
        ("ResGatedGraphConv", {}),
        ("SAGEConv", {"aggr": "max", "normalize": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_layers_on_graphs_without_edges(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Parity itself holds these: edgeless graphs, a single node and isolated nodes are among its cases."""
    torch.manual_seed(0)
    network = Layers(conv(name, **options)).eval()
    path = gs.export(network, tmp_path / "out", task=tiny_task())
    x = torch.randn(4, 64)
    nothing = torch.zeros(2, 0, dtype=torch.int64)
    with torch.no_grad():
        expected = network(x, nothing).numpy()
    np.testing.assert_allclose(Predictor(path).logits(x.numpy(), nothing.numpy()), expected, atol=1e-5)


@pytest.mark.parametrize("reduction", [*REDUCTIONS, *POSITIONS])
def test_axes_are_counted_from_the_front(reduction: str) -> None:
    """Every reduction of nothing over its last axes has the shape that numpy gives it."""
    import onnx
    import onnxruntime

    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    position = reduction in POSITIONS
    options = {"axis": -1} if position else {}
    node = helper.make_node(reduction, ["x"] if position else ["x", "axes"], ["y"], keepdims=0, **options)
    ports = [helper.make_tensor_value_info("x", float32, ["edges", 2, 4])], [helper.make_empty_tensor_value_info("y")]
    axes = [] if position else [helper.make_tensor("axes", onnx.TensorProto.INT64, [1], [-1])]
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(helper.make_graph([node], "one", *ports, axes), opset_imports=opset, ir_version=10)

    def shape(edges: int) -> tuple[int, ...]:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        made: np.ndarray = session.run(None, {"x": np.ones((edges, 2, 4), np.float32)})[0]
        return made.shape

    assert count_axes_from_the_front(model) == 1
    assert (shape(0), shape(5)) == ((0, 2), (5, 2))
    assert count_axes_from_the_front(model) == 0


class FirstEdge(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.linear(x) + edge_index[0, 0]
        return logits


class AsksItsValues(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.linear(x if float(x.sum()) > 0 else -x)
        return logits


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            FirstEdge,
            r"in torch, fails on a graph with 9 nodes, no edges in its layer 'first' \(FirstEdge\) \(IndexError",
        ),
        (AsksItsValues, r"refuses Layers in its layer 'first' \(AsksItsValues\)"),
    ],
)
def test_the_layer_at_fault_is_named(
    layer: Any, message: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match=message):
        gs.export(Layers(layer), tmp_path / "out", task=tiny_task())
    assert list(tmp_path.iterdir()) == []
    assert "onnxruntime" not in capfd.readouterr().err


def test_an_engine_s_node_tells_its_layer() -> None:
    assert (
        layer_named_in("while running ScatterND node. Name:'convs.1/node_scatter' Status") == " in its layer 'convs.1'"
    )
    assert layer_named_in("while running ScatterND node. Name:'' Status") == ""
