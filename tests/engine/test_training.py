"""The loop: selection, stopping, learning rates of runs, peers of different kinds, other tasks, foreign modules."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from graphstill.engine import Run, Teacher, Training, distill, train
from graphstill.engine.optim import MemberAdam
from graphstill.engine.training import decay_of
from graphstill.errors import ConfigError, MethodError
from graphstill.methods import KD, LSP, OAD, Alignahead, CoDistillation, Independent
from graphstill.nn import GAT, GCN, MLP, GraphSAGE, foreign
from tests.tiny import arrays, tiny_task

SHORT = Training(epochs=8, lr=0.02, weight_decay=1e-3)


class OwnNet(nn.Module):
    """A network of the user's: two dense layers and a mean over neighbours."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 12), nn.Linear(12, 3)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = self.first(x).relu()
        total = torch.zeros_like(h).index_add_(0, edge_index[1], h[edge_index[0]])
        return self.second(self.dropout(total))


def test_learns() -> None:
    run = train(GCN(hidden=16), tiny_task(), seeds=3, training=Training(epochs=60))
    assert run.test["accuracy"].mean > 0.8 and run.test["accuracy"].n == 3
    assert run.member()(torch.as_tensor(arrays()[0]), torch.as_tensor(arrays()[1])).shape == (120, 3)


def test_selected_weights_have_the_reported_validation_score() -> None:
    """What is kept are the weights of each member's best epoch, not the last ones."""
    task = tiny_task()
    for model, method, peers in ((GCN(hidden=8), Independent(), 1), (GCN(hidden=8, layers=3), Alignahead(), 2)):
        run = distill(model, task, method=method, peers=peers, seeds=3, training=Training(epochs=60, lr=0.05))
        batch = task.validation_batch()
        y = batch.y[batch.val_rows]
        for member in range(run.members):
            cohort, place = (run.cohorts[0], member) if peers == 1 else (run.cohorts[member % 2], member // 2)
            logits = cohort(batch.x, batch.graph).logits[place, batch.val_rows]
            assert (logits.argmax(-1) == y).double().mean().item() == pytest.approx(run.validation[member])
        assert len(set(run.result["best_epoch"])) > 1


def test_early_stop_is_each_members_own() -> None:
    run = train(GCN(hidden=8), tiny_task(), seeds=3, training=Training(epochs=200, lr=0.05, patience=5))
    epochs = run.result["cost"]["epochs"]
    assert epochs < 200 and epochs == max(run.result["best_epoch"]) + 5


def test_window_of_selection() -> None:
    run = train(GCN(hidden=8), tiny_task(), seeds=4, training=Training(epochs=20, select_after=12))
    assert min(run.result["best_epoch"]) > 12


def test_a_learning_rate_for_each_run() -> None:
    """A search is one cohort: each run with its own rate and decay ends where it ends alone."""
    task, batch = tiny_task(), tiny_task().full_batch()
    model = GCN(hidden=6, dropout=0.0)
    both = train(model, task, seeds=[3, 4], training=Training(epochs=10, lr=[0.01, 0.1], weight_decay=[0.0, 1e-2]))
    for i, (seed, lr, decay) in enumerate([(3, 0.01, 0.0), (4, 0.1, 1e-2)]):
        alone = train(model, task, seeds=[seed], training=Training(epochs=10, lr=lr, weight_decay=decay))
        one, several = alone.cohort(batch.x, batch.graph).logits[0], both.cohort(batch.x, batch.graph).logits[i]
        torch.testing.assert_close(several, one, rtol=1e-3, atol=1e-4)
    with pytest.raises(ConfigError, match="3 values, but there are 2 seeds"):
        train(model, task, seeds=2, training=Training(lr=[0.1, 0.1, 0.1]))


def test_masked_adam_equals_adam_member_by_member() -> None:
    torch.manual_seed(0)
    start, grads = torch.randn(4, 3, 2), [torch.randn(4, 3, 2) for _ in range(5)]
    ours = nn.Parameter(start.clone())
    adam = MemberAdam([("w", ours)], 0.1, 0.01, runs=2, peers=2, masked=True)
    theirs = nn.Parameter(start.clone())
    reference = torch.optim.Adam([theirs], lr=0.1, weight_decay=0.01)
    for grad in grads:
        for members in (torch.tensor([0, 2]), torch.tensor([1, 3])):
            ours.grad = grad.clone()
            adam.step(members)
        theirs.grad = grad.clone()
        reference.step()
    torch.testing.assert_close(ours, theirs)


def test_weight_decay_by_prefix() -> None:
    table = {"convs": 0.01, "convs.1": 0.5, "": 0.2}
    names = ["convs.0.weight", "convs.1.bias", "convs.10.bias", "out.weight"]
    assert [decay_of(n, table) for n in names] == [0.01, 0.5, 0.01, 0.2]
    assert decay_of("out.weight", {"convs": 1.0}) == 0.0


def test_peers_of_different_architecture() -> None:
    run = distill(
        [GCN(hidden=8), GraphSAGE(hidden=8), GCN(hidden=8)], tiny_task(), method=OAD(), seeds=2, training=SHORT
    )
    assert run.members == 6 and len(run.cohorts) == 3
    assert run.member(1).__class__ is run.member(0).__class__
    with pytest.raises(MethodError, match="no hidden layer that all members share"):
        distill([GCN(hidden=8), GraphSAGE(hidden=4)], tiny_task(), method=OAD(), training=SHORT)
    assert distill([GCN(hidden=8), MLP(hidden=4)], tiny_task(), method=CoDistillation(), training=SHORT).members == 2


def test_group_figures() -> None:
    run = distill(GCN(hidden=8), tiny_task(), method=CoDistillation(), peers=3, seeds=2, training=SHORT)
    members = np.array(run.result["test"]["members"]).reshape(2, 3)
    np.testing.assert_allclose(run.result["test"]["mean"], members.mean(1))
    best = np.array(run.validation).reshape(2, 3)
    for seed in range(2):
        value = run.result["test"]["best_val"][seed]
        assert value in members[seed][best[seed] == best[seed].max()]
    assert len(run.result["test"]["ensemble"]) == 2


def test_foreign_teacher_and_student() -> None:
    task = tiny_task()
    teacher = OwnNet()
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    student = foreign(OwnNet, taps=["first"])
    run = distill(student, task, method=KD() + LSP(), teacher=Teacher(teacher, ["first"]), seeds=2, training=SHORT)
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    again = distill(student, task, method=KD() + LSP(), teacher=Teacher(teacher, ["first"]), seeds=2, training=SHORT)
    assert run.result["test"] == again.result["test"] and run.result["history"] == again.result["history"]
    group = distill(foreign(OwnNet, taps=["first"]), task, method=OAD(), peers=2, training=SHORT)
    assert group.members == 2


def test_teachers_are_paired_with_seeds_or_the_best_teaches_all() -> None:
    task = tiny_task()
    teachers = train(GCN(hidden=8), task, seeds=3, training=SHORT)
    paired = distill(GCN(hidden=4), task, method=KD(), teacher=teachers, seeds=3, training=SHORT)
    shuffled = distill(GCN(hidden=4), task, method=KD(), teacher=teachers, seeds=[1, 0, 2], training=SHORT)
    assert paired.result["history"] != shuffled.result["history"]
    one = distill(GCN(hidden=4), task, method=KD(), teacher=teachers, seeds=[0, 1], training=SHORT)
    best = teachers.best_member()
    logits = teachers.cohort(task.full_batch().x, task.full_batch().graph).logits[best].detach()
    same = distill(GCN(hidden=4), task, method=KD(), teacher=logits, seeds=[0, 1], training=SHORT)
    assert one.result["history"] == same.result["history"]


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("inductive", [False, True])
def test_other_tasks(multi_label: bool, inductive: bool) -> None:
    task = tiny_task(multi_label=multi_label, inductive=inductive)
    teacher = train(GAT(hidden=4, heads=2), task, training=SHORT)
    run = distill(GCN(hidden=8), task, method=KD() + LSP(), teacher=teacher, training=SHORT)
    group = distill(GCN(hidden=8), task, method=OAD() + Alignahead(), peers=2, training=SHORT)
    metric = "micro_f1" if multi_label else "accuracy"
    assert 0 <= run.test[metric].mean <= 1 and group.result["test"]["ensemble"] is not None
    assert run.result["protocol"]["setting"] == ("inductive" if inductive else "transductive")


def test_test_labels_reach_nobody() -> None:
    """Training is the same whatever the test labels are."""
    from graphstill.data import NodeTask

    x, edges, y = arrays()
    wrong = y.copy()
    wrong[70:] = (wrong[70:] + 1) % 3
    runs: list[Run] = []
    for labels in (y, wrong):
        parts = {"train": np.arange(30), "val": np.arange(30, 70), "test": np.arange(70, 120)}
        task = NodeTask.from_arrays(x, edges, labels, **parts, name="tiny", sparse=False)
        runs.append(distill(GCN(hidden=8), task, method=OAD(), peers=2, training=SHORT))
    one, two = runs
    assert all(torch.equal(v, two.cohort.state_dict()[k]) for k, v in one.cohort.state_dict().items())
    assert one.result["test"]["members"] != two.result["test"]["members"]
    assert len(one.result["openings"]) == 1


def test_a_loss_that_explodes_is_reported() -> None:
    with pytest.raises(MethodError, match=r"not finite in epoch \d+.*learning rate"):
        train(GCN(hidden=8, dropout=0.0), tiny_task(), training=Training(epochs=50, lr=1e30))


@pytest.mark.parametrize(
    "wrong",
    [{"epochs": 0}, {"lr": 0.0}, {"lr": float("nan")}, {"weight_decay": -1.0}, {"warmup": 200}, {"updates": "never"}],
)
def test_settings_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"training.{next(iter(wrong))}"):
        Training(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("seeds", [0, [], [1, 1], [-1]])
def test_seeds_are_checked(seeds: object) -> None:
    with pytest.raises(ConfigError, match="seeds"):
        train(GCN(hidden=4), tiny_task(), seeds=seeds, training=SHORT)  # type: ignore[arg-type]
