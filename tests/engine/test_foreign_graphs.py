"""Other people's modules on whole graphs: as PyG calls them, with `batch` and `edge_attr`; others are told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch_geometric.nn import GINEConv, global_mean_pool

import graphstill as gs
from graphstill.errors import ConfigError, ExportError
from tests import tiny_graphs

SHORT = gs.Training(epochs=3, lr=0.01)


class Theirs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        inner = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 6))
        self.conv, self.bonds, self.last = GINEConv(inner), nn.Linear(2, 8), nn.Linear(6, 2)

    def forward(self, x: Tensor, edge_index: Tensor, batch: Tensor, edge_attr: Tensor) -> Tensor:
        h = self.conv(x, edge_index, self.bonds(edge_attr.float()))
        logits: Tensor = self.last(global_mean_pool(h.relu(), batch))
        return logits


class ByData(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Theirs()

    def forward(self, data: Any) -> Tensor:
        logits: Tensor = self.inner(data.x, data.edge_index, data.batch, data.edge_attr)
        return logits


class ByNode(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(8, 2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.lin(x)
        return logits


@pytest.mark.parametrize("network", [Theirs, ByData])
def test_teacher_student_and_given(network: type[nn.Module]) -> None:
    torch.manual_seed(0)
    task, module = tiny_graphs.task(codes=True), network()
    batch = task.plain_batch(task.val_index)
    run = gs.evaluate(module, task)
    extra = {"batch": batch.graph.groups.of_row, "edge_attr": batch.graph.edge_attr}
    logits = run.member(0)(batch.x.to_dense(), batch.graph.edge_index(), **extra)
    assert (logits.argmax(1) == batch.y).double().mean().item() == pytest.approx(run.validation[0])
    student = gs.distill(
        gs.models.GINE(hidden=6, layers=2, readout="mean"), task, method=gs.KD(), teacher=module, training=SHORT
    )
    assert student.result["warnings"] == [] or all(
        doubt["code"] != "edges without weights" for doubt in student.result["warnings"]
    )
    own = gs.train(gs.models.foreign(network), task, seeds=2, training=SHORT)
    weights = [own.cohort.member_state(i) for i in range(2)]
    assert any(not torch.equal(a, b) for a, b in zip(weights[0].values(), weights[1].values(), strict=True))


def test_answers_for_nodes_are_told() -> None:
    task = tiny_graphs.task(codes=True)
    with pytest.raises(ConfigError, match="the items of this task are graphs; pool the nodes of each graph"):
        gs.train(ByNode(), task, training=SHORT)
    model = gs.models.GIN(hidden=6, readout="mean")
    with pytest.raises(ConfigError, match=r"the teacher.*pool the nodes of each graph"):
        gs.distill(model, task, method=gs.KD(), teacher=ByNode(), training=SHORT)
    with pytest.raises(ConfigError, match="pool the nodes"):
        gs.evaluate(ByNode(), task)


def test_a_module_that_needs_a_batch_on_a_task_of_nodes() -> None:
    with pytest.raises(ConfigError, match="this task has no batch and no edge_attr"):
        gs.train(Theirs(), gs.datasets.load("digits"), training=SHORT)


def test_exports_say_that_they_do_not_do_graphs() -> None:
    task = tiny_graphs.task()
    run = gs.train(gs.models.GIN(hidden=6, readout="mean"), task, training=SHORT)
    for way in (lambda: run.export("out", task=task), lambda: gs.bench({"mine": run}, task=task)):
        with pytest.raises(ExportError, match=r"are whole graphs.*use run\.member"):
            way()
