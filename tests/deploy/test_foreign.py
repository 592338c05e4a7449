"""Modules of the user's own, by torch's exporter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import graphstill as gs
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
