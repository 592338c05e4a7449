"""Teachers that know more of the graph than their students: who may teach, from which graph, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from graphstill.data import NodeTask
from graphstill.engine import Run, Training, distill, frozen_test, train
from graphstill.engine.knowledge import of_cohort
from graphstill.errors import CheckpointError, ConfigError, DataError
from graphstill.methods import GKD, KD
from graphstill.nn import GCN
from tests.tiny import arrays, tiny_task

SHORT = Training(epochs=8, lr=0.02, checkpoint_seconds=0.0)
STUDENT = GCN(hidden=6, dropout=0.0)


def reduced(kind: str, inductive: bool = False) -> NodeTask:
    whole = tiny_task(inductive=inductive)
    return whole.without_edges(0.5, seed=1) if kind == "edges" else whole.without_train_nodes(0.5, seed=1)


def whole_of(task: NodeTask) -> NodeTask:
    assert task.origin is not None
    return task.origin


@pytest.mark.parametrize("inductive", [False, True])
@pytest.mark.parametrize("kind", ["edges", "nodes"])
def test_the_table_is_that_of_the_chosen_graph(kind: str, inductive: bool) -> None:
    """Distilling from the run equals distilling from its outputs on the graph that was asked for."""
    task = reduced(kind, inductive)
    teacher = train(GCN(hidden=8), whole_of(task), training=SHORT)
    histories = {}
    for graph, shown in ((None, whole_of(task)), ("full", whole_of(task)), ("own", task)):
        run = distill(STUDENT, task, method=KD(nodes="all"), teacher=teacher, teacher_graph=graph, training=SHORT)  # type: ignore[arg-type]
        table = of_cohort(teacher.cohort, shown, False, {"kind": "test"})
        again = distill(STUDENT, task, method=KD(nodes="all"), teacher=table, training=SHORT)
        assert run.result["history"] == again.result["history"]
        privileged = run.result["protocol"]["teacher"]["privileged"]
        assert privileged == {
            "trained_on": "full",
            "outputs_on": graph or "full",
            "data_hash": whole_of(task).hash,
            "edges": whole_of(task).num_edges,
            "train": 30,
        }
        histories[graph] = [v.clone() for v in run.cohort.state_dict().values()]
    assert not all(torch.equal(a, b) for a, b in zip(histories["full"], histories["own"], strict=True))


def test_hidden_features_of_the_full_graph_reach_methods() -> None:
    task = reduced("edges")
    teacher = train(STUDENT, whole_of(task), seeds=2, training=SHORT)
    weights = []
    for graph in ("full", "own"):
        run = distill(STUDENT, task, method=100 * GKD(), teacher=teacher, teacher_graph=graph, seeds=2, training=SHORT)  # type: ignore[arg-type]
        weights.append(run.cohort.state_dict()["convs.0.weight"])
    assert not torch.equal(*weights)


def test_a_teacher_that_knew_no_more_is_not_privileged() -> None:
    task = reduced("edges")
    teacher = train(GCN(hidden=8), task, training=SHORT)
    run = distill(STUDENT, task, method=KD(), teacher=teacher, training=SHORT)
    assert "privileged" not in run.result["protocol"]["teacher"]
    shown = distill(STUDENT, task, method=KD(), teacher=teacher, teacher_graph="full", training=SHORT)
    assert shown.result["protocol"]["teacher"]["privileged"]["trained_on"] == "own"
    same = whole_of(task).without_edges(0.0)
    run = distill(STUDENT, same, method=KD(), teacher=train(STUDENT, whole_of(task), training=SHORT), training=SHORT)
    assert "privileged" not in run.result["protocol"]["teacher"]


def test_a_module_teaches_from_the_graph_that_is_named() -> None:
    task = reduced("edges")
    module = train(GCN(hidden=8), whole_of(task), training=SHORT).member()
    own = distill(STUDENT, task, method=KD(), teacher=module, training=SHORT)
    full = distill(STUDENT, task, method=KD(), teacher=module, teacher_graph="full", training=SHORT)
    assert "privileged" not in own.result["protocol"]["teacher"]
    assert full.result["protocol"]["teacher"]["privileged"]["trained_on"] == "unknown"
    assert full.result["history"] != own.result["history"]


def test_any_other_teacher_is_refused() -> None:
    task = reduced("edges")
    for other in (whole_of(task).without_edges(0.3), whole_of(reduced("nodes", inductive=True))):
        with pytest.raises(DataError, match="was made from other data"):
            distill(STUDENT, task, method=KD(), teacher=train(STUDENT, other, training=SHORT), training=SHORT)
    teacher = train(STUDENT, task, training=SHORT)
    with pytest.raises(DataError, match="was made from other data"):
        distill(STUDENT, whole_of(task), method=KD(), teacher=teacher, training=SHORT)


def test_a_choice_of_graph_that_makes_no_sense_is_refused() -> None:
    task = reduced("edges")
    teacher = train(STUDENT, whole_of(task), training=SHORT)
    with pytest.raises(ConfigError, match="task 'tiny' is whole"):
        distill(STUDENT, whole_of(task), method=KD(), teacher=teacher, teacher_graph="own", training=SHORT)
    with pytest.raises(ConfigError, match="no network is the teacher"):
        distill(STUDENT, task, method=KD(), teacher=np.zeros((120, 3)), teacher_graph="own", training=SHORT)
    with pytest.raises(ConfigError, match="teacher_graph='whole'"):
        distill(STUDENT, task, method=KD(), teacher=teacher, teacher_graph="whole", training=SHORT)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["edges", "nodes"])
def test_no_test_label_reaches_a_privileged_teachers_student(kind: str) -> None:
    x, edges, y = arrays()
    wrong = y.copy()
    wrong[70:] = (wrong[70:] + 1) % 3
    runs: list[Run] = []
    for labels in (y, wrong):
        parts = {"train": np.arange(30), "val": np.arange(30, 70), "test": np.arange(70, 120)}
        whole = NodeTask.from_arrays(x, edges, labels, **parts, name="tiny", sparse=False)
        task = whole.without_edges(0.5) if kind == "edges" else whole.without_train_nodes(0.5)
        teacher = train(GCN(hidden=8), whole, training=SHORT)
        runs.append(distill(STUDENT, task, method=KD(nodes="all"), teacher=teacher, training=SHORT))
    one, two = runs
    assert all(torch.equal(v, two.cohort.state_dict()[k]) for k, v in one.cohort.state_dict().items())
    assert one.result["test"] != two.result["test"] and one.result["data_hash"] != two.result["data_hash"]


def test_resumes_exactly_and_only_with_the_same_graph(tmp_path: Path) -> None:
    def stop(epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if epoch == 4:
            raise RuntimeError("stop")

    task = reduced("edges")
    teacher = train(GCN(hidden=8), whole_of(task), training=SHORT)

    def run(graph: str, directory: Path | None, **how: object) -> Run:
        return distill(
            STUDENT,
            task,
            method=KD(),
            teacher=teacher,
            teacher_graph=graph,  # type: ignore[arg-type]
            training=SHORT,
            directory=directory,
            **how,  # type: ignore[arg-type]
        )

    with pytest.raises(RuntimeError):
        run("own", tmp_path, progress=stop)
    with pytest.raises(CheckpointError, match="teacher, teacher_graph differ"):
        run("full", tmp_path, resume=True)
    resumed, whole = run("own", tmp_path, resume=True), run("own", None)
    assert resumed.result["history"] == whole.result["history"] and resumed.result["test"] == whole.result["test"]
    with pytest.raises(CheckpointError, match="teacher_graph differ"):
        run("full", tmp_path, resume=True)


def test_a_frozen_network_is_tested_on_the_graph_as_it_is_now() -> None:
    task = reduced("edges")
    whole = whole_of(task)
    run = train(GCN(hidden=8), whole, seeds=2, training=Training(epochs=40))
    found = frozen_test(run, task)
    opened = tiny_task().test.open("check", "validation accuracy")
    logits = run.cohort(opened.batch.x, task.full_batch().graph).logits
    assert found["mean"] == opened.score(logits).tolist() != run.result["test"]["mean"]
    assert found["opening"] == task.test.openings[0] and found["edges"] == task.num_edges
    assert frozen_test(run, whole)["mean"] == run.result["test"]["mean"]
    with pytest.raises(DataError, match="was made from other data"):
        frozen_test(run, whole.with_shuffled_labels())
