"""CPF: its distance, and with the student it is made for, which has the training labels as an input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from graphstill.data import NodeTask
from graphstill.engine import Run, Training, distill, train
from graphstill.errors import ConfigError, MethodError
from graphstill.method import Method
from graphstill.methods import CPF, DML, KD, Independent
from graphstill.nn import GCN, PLP
from tests.methods.stage import set_stage
from tests.tiny import Killed, arrays, kill_at, tiny_task

STUDENT = PLP(hidden=6, hops=4, dropout=0.3)
SHORT = Training(epochs=6, lr=0.02, checkpoint_seconds=0.0, log_every=1)


@pytest.fixture(scope="module")
def teacher() -> Run:
    return train(GCN(hidden=8), tiny_task(), seeds=1, training=Training(epochs=40))


def weights(run: Run) -> dict[str, Tensor]:
    return dict(run.cohort.state_dict())


def test_distance_against_numpy() -> None:
    stage = set_stage(CPF(), tiny_task(), [0, 1])
    assert stage.t is not None
    p, q = (x.detach().softmax(-1).double().numpy() for x in (stage.s.logits, stage.t.logits))
    free = np.setdiff1d(np.arange(120), np.arange(30))
    expected = [np.sqrt(((p[m, free] - q[0, free]) ** 2).sum()) for m in range(2)]
    np.testing.assert_allclose(stage.total().detach().numpy(), expected, rtol=1e-5)


def test_rows_with_a_training_label_have_no_part_in_it() -> None:
    stage = set_stage(CPF(), tiny_task(), [0])
    (slope,) = torch.autograd.grad(stage.total().sum(), stage.s.logits)
    rows = stage.step.batch.train_rows
    assert (slope[:, rows] == 0).all() and (slope.abs().sum(-1) > 0).sum() == 120 - len(rows)


def test_gradient_is_finite_where_student_equals_teacher() -> None:
    """A norm that is not squared has no slope there."""
    stage = set_stage(CPF(), tiny_task(), [0])
    assert stage.t is not None
    stage.s.logits = stage.t.logits.clone().requires_grad_()
    (slope,) = torch.autograd.grad(stage.total().sum(), stage.s.logits)
    assert stage.total().item() == 0 and (slope == 0).all()


def test_labels_are_no_targets(teacher: Run) -> None:
    run = distill(GCN(hidden=6), tiny_task(), method=CPF(), teacher=teacher, training=SHORT)
    assert run.result["effective_loss"] == "0 * CE(labels) + 1 * cpf()"


def test_student_comes_closer_to_the_teacher(teacher: Run) -> None:
    """From propagation alone, from labels, to propagation and features."""
    task, student = tiny_task(), PLP(hidden=16, hops=4, dropout=0.3)
    batch = task.full_batch()
    target = teacher.cohort(batch.x, batch.graph).logits.softmax(-1)

    def distance(run: Run) -> float:
        found = run.cohort(batch.x, batch.graph).logits.softmax(-1) - target
        return float(found[:, 30:].detach().square().sum().sqrt())

    before = distill(PLP(layers=0, hops=4), task, method=CPF(), teacher=teacher, training=Training(epochs=1))
    after = distill(student, task, method=CPF(), teacher=teacher, training=Training(epochs=60))
    assert distance(after) < 0.7 * distance(before)
    assert after.validation[0] >= before.validation[0]


def test_resumes_exactly_and_loads(teacher: Run, tmp_path: Path) -> None:
    def run_it(folder: str, **more: object) -> Run:
        return distill(
            STUDENT,
            tiny_task(),
            method=CPF(),
            teacher=teacher,
            seeds=2,
            training=SHORT,
            directory=tmp_path / folder,
            **more,  # type: ignore[arg-type]
        )

    whole = run_it("whole")
    with pytest.raises(Killed):
        run_it("cut", progress=kill_at(4))
    resumed, loaded, batch = run_it("cut", resume=True), Run.load(tmp_path / "whole"), tiny_task().full_batch()
    for key, value in weights(whole).items():
        assert torch.equal(weights(resumed)[key], value), key
    assert torch.equal(loaded.cohort(batch.x, batch.graph).logits, whole.cohort(batch.x, batch.graph).logits)
    member, x = loaded.member(1), batch.x
    assert isinstance(x, Tensor)
    torch.testing.assert_close(member(x, batch.graph.edge_index()), whole.cohort(x, batch.graph).logits[1])


def test_one_seed_alone_equals_one_of_many(teacher: Run) -> None:
    task, batch = tiny_task(), tiny_task().full_batch()
    many, alone = (
        distill(STUDENT, task, method=CPF(), teacher=teacher, seeds=seeds, training=SHORT) for seeds in ([0, 7, 3], [7])
    )
    logits = [run.cohort(batch.x, batch.graph).logits for run in (many, alone)]
    torch.testing.assert_close(logits[0][1:2].exp(), logits[1].exp(), rtol=1e-3, atol=1e-4)


def relabelled(nodes: range) -> NodeTask:
    """The task with other labels at these nodes."""
    x, edges, y = arrays()
    y = y.copy()
    y[nodes] = (y[nodes] + 1) % 3
    train, val, test = np.arange(0, 30), np.arange(30, 70), np.arange(70, 120)
    return NodeTask.from_arrays(x, edges, y, train=train, val=val, test=test, name="tiny", sparse=False)


def test_no_label_leaks() -> None:
    """Other labels of validation and test nodes change no bit of what is learnt; one of a training node does.

    Only the last epoch can be selected, so that validation, which does look at its labels, has nothing to choose.
    """
    logits = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    last = Training(epochs=8, lr=0.02, select_after=7)
    plain, other, trained = (
        distill(STUDENT, relabelled(nodes), method=CPF(), teacher=logits, seeds=2, training=last)
        for nodes in (range(0), range(30, 120), range(1))
    )
    assert plain.validation != other.validation
    for key, value in weights(plain).items():
        assert torch.equal(weights(other)[key], value), key
    assert (weights(plain)["labels"] >= 0).sum(1).tolist() == [30, 30]
    assert not torch.equal(weights(trained)["share.weight"], weights(plain)["share.weight"])


@pytest.mark.parametrize(("method", "peers"), [(Independent(), 1), (KD(), 1), (DML(), 2)], ids=lambda m: str(m))
def test_what_has_the_labels_is_not_trained_on_them(method: Method, peers: int, teacher: Run) -> None:
    with pytest.raises(MethodError, match=rf"'plp' has the training labels as an input.*{method.name}.*CPF\(\)"):
        distill(STUDENT, tiny_task(), method=method, teacher=teacher if method.needs.teacher else None, peers=peers)


def test_what_it_may_be_trained_by(teacher: Run) -> None:
    for method in (KD(alpha=1.0), CPF() + 0.5 * KD(alpha=0.5)):
        distill(STUDENT, tiny_task(), method=method, teacher=teacher, training=SHORT)
    with pytest.raises(MethodError, match="a warm-up of 2 epochs"):
        distill(STUDENT, tiny_task(), method=CPF(), teacher=teacher, training=Training(epochs=4, warmup=2))


def test_tasks_that_are_not_of_one_graph_and_one_label_a_node_are_refused() -> None:
    logits = np.zeros((120, 3), dtype=np.float32)
    with pytest.raises(ConfigError, match=r"'plp' has weights for each node.*task 'tiny' is inductive"):
        distill(STUDENT, tiny_task(inductive=True), method=CPF(), teacher=logits)
    with pytest.raises(ConfigError, match=r"'plp' propagates one class a node.*task 'tiny' is multi-label"):
        distill(STUDENT, tiny_task(multi_label=True), method=CPF(), teacher=logits)
