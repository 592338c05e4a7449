"""Every method on tasks whose items are whole graphs: it trains, or says why it makes no sense there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import graphstill as gs
from graphstill.engine import Run
from graphstill.errors import ConfigError, MethodError
from graphstill.method import Method
from graphstill.methods import METHODS
from tests import tiny_graphs
from tests.methods.stage import peers_of
from tests.tiny import Killed, kill_at

SHORT = gs.Training(epochs=2, lr=0.01)
ONLY_NODES = {"krd", "ff-g2m", "cpf", "rod", "freekd", "graphakd", "nosmog"}
MODEL = gs.models.GIN(hidden=6, layers=3, dropout=0.0, readout="mean")


@pytest.fixture(scope="module")
def teacher() -> Run:
    return gs.train(gs.models.GIN(hidden=6, layers=3, readout="sum"), tiny_graphs.task(), seeds=2, training=SHORT)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method(name: str, teacher: Run) -> None:
    method, task = METHODS[name](), tiny_graphs.task()

    def run(method: Method) -> Run:
        own = teacher if method.needs.teacher else None
        return gs.distill(MODEL, task, method=method, teacher=own, peers=peers_of(method), seeds=2, training=SHORT)

    if name in ONLY_NODES:
        with pytest.raises(MethodError, match="whose items are whole graphs: it"):
            run(method)
        return
    done = run(method)
    assert all(0 <= value <= 1 for value in done.validation)
    plain = run(METHODS["independent"]()) if method.needs.peers else gs.train(MODEL, task, seeds=2, training=SHORT)
    moved = [
        not torch.equal(weight, own.state_dict()[name])
        for own, other in zip(done.cohorts, plain.cohorts, strict=False)
        for name, weight in other.state_dict().items()
    ]
    assert any(moved) == (name != "independent"), "the method changes what is learnt"


def test_labels_of_several_tasks_with_gaps() -> None:
    task = tiny_graphs.task(codes=True, tasks=True)
    model = gs.models.GINE(hidden=8, layers=2, dropout=0.0, readout="mean")
    teacher = gs.train(model, task, seeds=1, training=gs.Training(epochs=30, lr=0.01))
    assert teacher.validation[0] > 0.7, "rings are told from stars"
    student = gs.distill(model, task, method=gs.KD(), teacher=teacher, training=SHORT)
    group = gs.distill(model, task, method=gs.OAD(), peers=2, training=SHORT)
    assert student.result["metric"] == group.result["metric"] == "mean_roc_auc"
    assert teacher.result["models"][0]["edge_codes"] == [3, 3], "filled in from the task"


def test_a_run_is_saved_resumed_and_taught_by(tmp_path: Path, teacher: Run) -> None:
    task = tiny_graphs.task()
    whole = gs.distill(MODEL, task, method=gs.KD() + gs.LSP(), teacher=teacher, seeds=2, training=SHORT)
    kept = gs.distill(
        MODEL, task, method=gs.KD() + gs.LSP(), teacher=teacher, seeds=2, training=SHORT, directory=tmp_path / "run"
    )
    again = Run.load(tmp_path / "run")
    for one in (kept, again):
        for a, b in zip(whole.cohort.state_dict().values(), one.cohort.state_dict().values(), strict=True):
            assert torch.equal(a, b)
    network, batch = again.member(0), task.plain_batch(task.val_index)
    logits = network(batch.x, batch.graph)
    assert logits.shape == (len(task.val_index), 2)
    assert (logits.argmax(1) == batch.y).double().mean() == pytest.approx(again.validation[0])


@pytest.mark.parametrize("name", ["mugsi", "crd", "oad", "lsp"])
def test_resumes_exactly(name: str, teacher: Run, tmp_path: Path) -> None:
    method, task = METHODS[name](), tiny_graphs.task()
    how = {"method": method, "seeds": 2, "peers": peers_of(method), "training": replace(SHORT, checkpoint_seconds=0.0)}
    own = teacher if method.needs.teacher else None
    model = gs.models.GIN(hidden=6, layers=3, dropout=0.2, batch_norm=True, readout="mean")
    whole = gs.distill(model, task, teacher=own, **how)
    with pytest.raises(Killed):
        gs.distill(model, task, teacher=own, **how, directory=tmp_path, progress=kill_at(1))
    again = gs.distill(model, task, teacher=own, **how, directory=tmp_path, resume=True)
    for a, b in zip(whole.cohort.state_dict().values(), again.cohort.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_mugsi_tells_graphs_from_nodes() -> None:
    task = gs.datasets.load("digits")
    with pytest.raises(MethodError, match="compares whole graphs, but the items of task 'digits' are nodes"):
        gs.distill(gs.models.GCN(hidden=4), task, method=METHODS["mugsi"](), teacher=torch.zeros(1797, 10))


def test_a_table_of_logits_teaches() -> None:
    task = tiny_graphs.task()
    table = torch.nn.functional.one_hot(torch.arange(36) % 3 // 2, 2).float()
    run = gs.distill(MODEL, task, method=gs.KD(), teacher=table, training=SHORT)
    assert run.result["protocol"]["teacher"]["kind"] == "array"


def test_networks_of_nodes_and_tasks_of_graphs_are_told_apart() -> None:
    with pytest.raises(ConfigError, match="give it a readout"):
        gs.train(gs.models.GCN(), tiny_graphs.task(), training=SHORT)
    with pytest.raises(ConfigError, match="choose one that has a readout"):
        gs.train(gs.models.SGC(), tiny_graphs.task(), training=SHORT)
    with pytest.raises(ConfigError, match="leave readout out"):
        gs.train(MODEL, gs.datasets.load("digits"), training=SHORT)
