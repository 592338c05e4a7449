"""KD and LSP with a teacher: which nodes, what widths, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphstill.engine import Training, distill, train
from graphstill.errors import ConfigError, DataError, MethodError
from graphstill.losses import softmax_kl
from graphstill.method import View
from graphstill.methods import KD, LSP, Independent
from graphstill.nn import GCN
from tests.methods.stage import set_stage
from tests.tiny import tiny_task


def test_kd_on_training_nodes_or_on_all() -> None:
    for nodes in ("train", "all"):
        stage = set_stage(KD(temperature=4.0, alpha=0.25, nodes=nodes), tiny_task(), [0, 1])  # type: ignore[arg-type]
        assert stage.t is not None
        rows = stage.step.batch.train_rows if nodes == "train" else slice(None)
        expected = 0.25 * softmax_kl(stage.t.logits[:, rows], stage.s.logits[:, rows], 4.0)
        torch.testing.assert_close(stage.terms()["soft"], expected)
    assert KD(alpha=0.25).supervision(0.5) == 0.75
    stage = set_stage(KD(temperature=4.0, alpha=0.25), tiny_task(), [0, 1])
    whole = set_stage(KD(temperature=4.0, alpha=None), tiny_task(), [0, 1])
    torch.testing.assert_close(0.25 * whole.total(), stage.total())
    assert KD(alpha=None).supervision(0.5) == 1.0


def test_a_sum_multiplies_terms_and_supervision() -> None:
    both = KD(alpha=0.9) + 0.5 * (LSP() + 2 * LSP(kernel="rbf"))
    assert [(t.method.name, t.weight) for t in both.terms] == [("kd", 1.0), ("lsp", 0.5), ("lsp", 1.0)]
    with pytest.raises(ConfigError, match="multiplied by a number"):
        -1 * KD()


def test_the_teachers_side_of_lsp_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    target = LSP._target
    monkeypatch.setattr(LSP, "_target", lambda self, t: calls.append(t) or target(self, t))
    task, both = tiny_task(), LSP(kernel="rbf") + LSP(kernel="linear")
    teacher = train(GCN(hidden=4), task, training=Training(epochs=2))

    def students() -> list[torch.Tensor]:
        run = distill(GCN(hidden=4), task, teacher=teacher, method=both, seeds=2, training=Training(epochs=4))
        return list(run.cohort.state_dict().values())

    kept = students()
    assert len(calls) == 2  # once for each term
    monkeypatch.setattr(View, "once", lambda self, make: make(self))
    assert all(map(torch.equal, kept, students()))
    assert len(calls) == 2 + 2 * 4


def test_lsp_compares_networks_of_any_width() -> None:
    stage = set_stage(LSP(), tiny_task(), [0], teacher_model=GCN(hidden=20, layers=2, dropout=0.0))
    assert stage.t is not None and stage.t.hidden[0].pre.shape[-1] == 20
    assert stage.total().item() > 0


def test_lsp_released_switches_itself_off() -> None:
    method = LSP.released()
    assert method.ramp(29 / 500) == 1.0 and method.ramp(30 / 500) == 0.0
    assert method.kernel == "laplace" and method.bandwidth == 100.0 and method.self_loops


def test_lsp_layer_out_of_range() -> None:
    with pytest.raises(MethodError, match="hidden layer 5 was asked for, but the student has 2"):
        set_stage(LSP(layer=5), tiny_task(), [0]).total()


def test_methods_refuse_what_they_cannot_use() -> None:
    task, short = tiny_task(), Training(epochs=2)
    with pytest.raises(MethodError, match="needs a teacher"):
        distill(GCN(hidden=4), task, method=KD())
    logits = np.zeros((120, 3), np.float32)
    with pytest.raises(MethodError, match="known by its logits alone"):
        distill(GCN(hidden=4), task, method=LSP(), teacher=logits)
    with pytest.raises(MethodError, match="no method uses one"):
        distill(GCN(hidden=4), task, method=Independent(), teacher=logits)
    with pytest.raises(DataError, match="120 nodes and 3 outputs"):
        distill(GCN(hidden=4), task, method=KD(), teacher=logits[:50])
    logits[17] = np.nan
    with pytest.raises(DataError, match="not finite at node 17"):
        distill(GCN(hidden=4), task, method=KD(), teacher=logits)
    other = train(GCN(hidden=4), tiny_task(inductive=True), training=short)
    with pytest.raises(DataError, match="made from other data"):
        distill(GCN(hidden=4), task, method=KD(), teacher=other, training=short)
