"""Training in bfloat16: near training in float32; evaluation, losses and weights are in float32; resumed exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from graphstill.engine import Run, Training, distill, train
from graphstill.errors import CheckpointError, ConfigError
from graphstill.methods import CPF, OAD, RKD
from graphstill.models import GCN, GraphSAGE, ResNet
from graphstill.nn import MODELS, foreign, make_model
from tests.engine.test_images import task as images
from tests.engine.test_images import weights
from tests.methods.stage import by_default, every_method, peers_of, student_of
from tests.tiny import Killed, kill_at, tiny_task

SHORT = Training(epochs=6, weight_decay=0.0, checkpoint_seconds=0.0, log_every=1)
LOW = replace(SHORT, precision="bfloat16")
# The label propagation of plp learns from a teacher alone: it is among the methods below.
GRAPHS = sorted(name for name, model in MODELS.items() if model.takes == "graph" and name not in {"module", "plp"})


@cache
def teacher() -> Run:
    return train(GCN(hidden=6, layers=3), tiny_task(), training=SHORT)


def learnt(run: Run) -> list[torch.Tensor]:
    """Weights of products: a bias in front of a normalisation has no gradient but rounding, which Adam makes large."""
    return [weight.detach() for cohort in run.cohorts for weight in cohort.parameters() if weight.dim() > 2]


@pytest.mark.parametrize("name", GRAPHS)
def test_every_network_learns_about_the_same(name: str) -> None:
    model = make_model(name)
    last = [replace(how, select_after=SHORT.epochs - 1) for how in (SHORT, LOW)]  # the same epoch of both
    full, low = (train(model, tiny_task(), training=how) for how in last)
    moved = 0.0
    for a, b in zip(learnt(full), learnt(low), strict=True):  # running statistics are those of other epochs
        assert a.dtype == b.dtype
        # Adam moves a weight by the rate an epoch, whichever way: what is near in value may be far in steps.
        assert (a - b).abs().mean() < 0.3 * SHORT.epochs * SHORT.lr  # type: ignore[operator]
        moved += float((a - b).abs().sum())
    assert moved > 0, "the passes were in float32"


@pytest.mark.parametrize("name", every_method())
def test_every_method_trains(name: str) -> None:
    method = by_default(name)
    how = {"teacher": teacher() if method.needs.teacher else None, "peers": peers_of(method)}
    run = distill(student_of(method), tiny_task(), method=method, training=replace(LOW, epochs=2), seeds=2, **how)  # type: ignore[arg-type]
    assert all(value.isfinite().all() for value in weights(run))


def test_images() -> None:
    run = train(ResNet(depth=8, width=0.25), images(), training=replace(LOW, epochs=2))
    assert all(value.isfinite().all() for value in weights(run))


def test_modules_of_others_and_known_labels() -> None:
    student = foreign(lambda: GCN(hidden=8).build(tiny_task().in_features, 3, [0]).to_pyg(0))
    run = train(student, tiny_task(), training=LOW)
    assert all(value.isfinite().all() and value.dtype == torch.float32 for value in weights(run))
    run = distill(make_model("plp", hidden=8), tiny_task(), method=CPF(), teacher=teacher(), training=LOW)
    assert all(value.isfinite().all() for value in weights(run))


def test_losses_and_evaluation_are_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphstill.engine import group, loop

    seen: list[torch.dtype] = []
    views, evaluated = group.Group.views, loop.Loop._validate

    def look(self, batch, block, own):  # type: ignore[no-untyped-def]
        view, peers = views(self, batch, block, own)
        seen.extend([own.logits.dtype, view.logits.dtype, *(t.dtype for h in view.hidden for t in (h.pre, h.dropped))])
        return view, peers

    def exact(self) -> None:  # type: ignore[no-untyped-def]
        evaluated(self)
        batch = self.task.validation_batch()
        block = self.group.blocks[0]
        with torch.no_grad():
            assert torch.equal(block.output(batch).logits, block.cohort(batch.x, batch.graph).logits)

    monkeypatch.setattr(group.Group, "views", look)
    monkeypatch.setattr(loop.Loop, "_validate", exact)
    # Without dropout the evaluation pass serves as the next training pass, but for this precision.
    distill(GCN(hidden=8, dropout=0.0), tiny_task(), method=RKD(), teacher=teacher(), training=LOW)
    assert seen and set(seen) == {torch.float32}


def test_a_member_does_not_depend_on_the_others() -> None:
    both, alone = (train(GraphSAGE(hidden=8), tiny_task(), seeds=seeds, training=LOW) for seeds in ([0, 5], [5]))
    for name, value in alone.cohort.member_state(0).items():
        torch.testing.assert_close(value, both.cohort.member_state(1)[name], rtol=1e-2, atol=1e-2)


def test_resumes_exactly(tmp_path: Path) -> None:
    how = {"method": OAD(), "peers": 2, "training": LOW}
    whole = distill(GCN(hidden=8), tiny_task(), **how)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        distill(GCN(hidden=8), tiny_task(), **how, directory=tmp_path, progress=kill_at(3))  # type: ignore[arg-type]
    again = distill(GCN(hidden=8), tiny_task(), **how, directory=tmp_path, resume=True)  # type: ignore[arg-type]
    for a, b in zip(weights(whole), weights(again), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(CheckpointError, match="precision"):
        distill(GCN(hidden=8), tiny_task(), **{**how, "training": SHORT}, directory=tmp_path, resume=True)  # type: ignore[arg-type]


def test_settings() -> None:
    assert "precision" not in SHORT.config() and LOW.config()["precision"] == "bfloat16"
    with pytest.raises(ConfigError, match=r"training\.precision is 'half'"):
        Training(precision="half")  # type: ignore[arg-type]
