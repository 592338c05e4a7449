"""Several teachers as one."""

from __future__ import annotations

import pytest
import torch

from graphstill.engine import Ensemble, Training, distill, train
from graphstill.engine.live import ensemble
from graphstill.errors import MethodError
from graphstill.methods import KD, LSP
from graphstill.nn import GCN
from tests.tiny import tiny_task

SHORT = Training(epochs=5)


def test_is_the_mean_of_probabilities() -> None:
    logits = torch.tensor([[[0.0, 0.0]], [[1.0, -2.0]]])
    probability = (0.5 + 1 / (1 + torch.tensor(-3.0).exp())) / 2
    torch.testing.assert_close(ensemble(logits).softmax(-1)[0, 0, 0], probability)
    torch.testing.assert_close(
        ensemble(logits, multi_label=True).sigmoid()[0, 0, 0], (0.5 + torch.tensor(1.0).sigmoid()) / 2
    )


def test_teaches_every_student_as_its_table_would() -> None:
    task = tiny_task()
    teacher = train(GCN(hidden=8), task, seeds=2, training=SHORT)
    batch = task.full_batch()
    with torch.no_grad():
        table = ensemble(teacher.cohort(batch.x, batch.graph).logits)[0]
    runs = [
        distill(GCN(hidden=4), task, method=KD(), teacher=given, seeds=3, training=SHORT)
        for given in (Ensemble(teacher), table)
    ]
    ours, theirs = (run.cohort.state_dict() for run in runs)
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name])
    assert runs[0].result["protocol"]["teacher"]["ensemble"] == 2


def test_has_no_hidden_features() -> None:
    teacher = train(GCN(hidden=8), tiny_task(), seeds=2, training=SHORT)
    with pytest.raises(MethodError, match="known by its logits alone"):
        distill(GCN(hidden=4), tiny_task(), method=LSP(), teacher=Ensemble(teacher), training=SHORT)
