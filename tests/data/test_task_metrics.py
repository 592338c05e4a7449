import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from graphstill.data import METRICS, NodeTask, accuracy, micro_f1, roc_auc
from graphstill.engine import Training, train
from graphstill.errors import CheckpointError, ConfigError, DataError
from graphstill.nn import GCN


def test_accuracy_is_the_share_of_largest_logits_of_each_member():
    logits = torch.tensor([[[2.0, 1], [0, 3], [1, 0], [0, 1]], [[0, 1], [1, 0], [0, 1], [1, 0]]])
    assert accuracy(logits, torch.tensor([0, 1, 0, 0])).tolist() == [0.75, 0.25]


def test_where_logits_tie_the_lower_class_is_predicted():
    assert accuracy(torch.zeros(1, 2, 3), torch.tensor([0, 1])).tolist() == [0.5]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_metrics_agree_with_scikit_learn(dtype):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 40, 5, generator=generator, dtype=dtype)
    y = torch.randint(5, (40,), generator=generator)
    labels = (torch.rand(40, 5, generator=generator) > 0.6).to(dtype)
    for member in range(3):
        single = accuracy_score(y.numpy(), logits[member].argmax(-1).numpy())
        multi = f1_score(labels.numpy(), (logits[member] > 0).numpy(), average="micro")
        assert accuracy(logits, y)[member].item() == pytest.approx(single, abs=1e-12)
        assert micro_f1(logits, labels)[member].item() == pytest.approx(multi, abs=1e-12)


def test_roc_auc_agrees_with_scikit_learn_ties_included():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randint(-3, 4, (3, 60, 2), generator=generator).float()
    y = torch.randint(2, (60,), generator=generator)
    for found, member in zip(roc_auc(logits, y).tolist(), logits, strict=True):
        assert found == pytest.approx(roc_auc_score(y.numpy(), (member[:, 1] - member[:, 0]).numpy()), abs=1e-12)
    moved = logits + torch.tensor([5.0, 0.0])  # the same order, another line between the classes
    assert torch.equal(roc_auc(moved, y), roc_auc(logits, y)) and not torch.equal(
        accuracy(moved, y), accuracy(logits, y)
    )


def test_a_task_selects_and_tests_by_the_metric_asked_for(tmp_path):
    def task(metric=None, classes=2):
        y = torch.arange(40) % classes
        x = torch.eye(4)[y] + torch.rand(40, 4, generator=torch.Generator().manual_seed(2))
        parts = {"train": range(20), "val": range(20, 30), "test": range(30, 40)}
        parts = {name: list(rows) for name, rows in parts.items()}
        return NodeTask.from_arrays(x, torch.zeros(2, 0, dtype=torch.long), y, **parts, metric=metric)

    training = Training(epochs=3)
    run = train(GCN(hidden=4), task("roc_auc"), training=training, directory=tmp_path)
    assert run.result["metric"] == run.result["recipe"]["metric"] == "roc_auc"
    batch = task().full_batch()
    logits = run.member()(batch.x, batch.graph)[None, 30:].detach()
    assert run.result["test"]["mean"] == pytest.approx(roc_auc(logits, torch.arange(30, 40) % 2).tolist(), abs=1e-6)
    with pytest.raises(CheckpointError, match="metric"):
        train(GCN(hidden=4), task(), training=training, directory=tmp_path, resume=True)
    with pytest.raises(ConfigError, match="has 3 classes: give accuracy, or leave it out"):
        task("roc_auc", classes=3)


def test_micro_f1_counts_over_all_labels_at_once():
    # Member 0: 1 hit, 1 false, 2 missed -> 2 / (2 + 1 + 2); member 1 predicts nothing.
    y = torch.tensor([[1.0, 1], [0, 1]])
    logits = torch.tensor([[[1.0, -1], [1, -1]], [[-1, -1], [-1, -1]]])
    assert micro_f1(logits, y).tolist() == [0.4, 0.0]
    assert micro_f1(logits[1:], torch.zeros(2, 2)).tolist() == [0.0]


@pytest.mark.parametrize(
    ("metric", "shape", "y", "message"),
    [
        ("accuracy", (1, 3, 2), torch.tensor([0, -1, 1]), "1 nodes have no label that may be seen"),
        (
            "micro_f1",
            (1, 2, 2),
            torch.tensor([[0, 1], [torch.nan, torch.nan]]),
            "1 nodes have no label that may be seen",
        ),
        ("accuracy", (1, 0, 2), torch.zeros(0, dtype=torch.long), "no nodes to score"),
        ("accuracy", (3, 2), torch.tensor([0, 1, 1]), "do not go together"),
        ("accuracy", (1, 4, 2), torch.tensor([0, 1, 1]), "do not go together"),
        ("micro_f1", (1, 2, 3), torch.zeros(2, 2), "do not go together"),
        ("roc_auc", (1, 2, 3), torch.tensor([0, 1]), "defined for two classes that both occur"),
        ("roc_auc", (1, 2, 2), torch.tensor([1, 1]), "defined for two classes that both occur"),
        ("roc_auc", (1, 2, 2), torch.tensor([1, -1]), "1 nodes have no label that may be seen"),
    ],
)
def test_what_cannot_be_scored_is_refused(metric, shape, y, message):
    with pytest.raises(DataError, match=message):
        METRICS[metric](torch.zeros(shape), y)
