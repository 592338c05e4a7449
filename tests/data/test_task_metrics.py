import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from graphstill.data import METRICS, accuracy, micro_f1
from graphstill.errors import DataError


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
    ],
)
def test_what_cannot_be_scored_is_refused(metric, shape, y, message):
    with pytest.raises(DataError, match=message):
        METRICS[metric](torch.zeros(shape), y)
