"""Images pass through the same engine: every method trains on them or says why it cannot, and runs resume exactly."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from graphstill.data import ImageTask
from graphstill.datasets import load_images
from graphstill.engine import Ensemble, Run, Training, distill, train
from graphstill.errors import ConfigError, DataError, GraphstillError, MethodError
from graphstill.method import Method
from graphstill.methods import CRD, DML, HKD, KD, METHODS, ReviewKD, Smoothing
from graphstill.models import GCN, MLP, ResNet
from tests.methods.stage import every_method, peers_of
from tests.tiny import Killed, kill_at, tiny_task

SHORT = Training(epochs=3, optimizer="sgd", lr=0.05, lr_steps=(2,), checkpoint_seconds=0.0, log_every=1)
SMALL = ResNet(depth=8, width=0.25)


@cache
def task() -> ImageTask:
    return load_images("digits-images", per_class=6, val_per_class=4, batch_size=16, augment="crop-flip")


@cache
def teacher() -> Run:
    return train(ResNet(depth=8, width=0.5), task(), seeds=2, training=replace(SHORT, epochs=2, lr_steps=()))


def weights(run: Run) -> list[torch.Tensor]:
    return [value for cohort in run.cohorts for _, value in sorted(cohort.state_dict().items())]


@pytest.mark.parametrize("name", every_method())
def test_every_method_trains_or_says_why_not(name: str) -> None:
    method = METHODS[name]()
    how = {"teacher": teacher() if method.needs.teacher else None, "peers": peers_of(method)}
    one = replace(SHORT, epochs=2, lr_steps=())
    if method.needs.graph or method.needs.heads:
        with pytest.raises(MethodError, match=r"edges of a graph|several classifiers"):
            distill(SMALL, task(), method=method, training=one, **how)  # type: ignore[arg-type]
        return
    run = distill(SMALL, task(), method=method, training=one, seeds=2, **how)  # type: ignore[arg-type]
    assert all(value.isfinite().all() for value in weights(run))


@pytest.mark.parametrize("method", [KD() + HKD(k=4), ReviewKD(warm_up=1), CRD(), KD() + Smoothing(every=1)])
def test_resumes_exactly(method: Method, tmp_path: Path) -> None:
    how = {"method": method, "teacher": teacher(), "seeds": 2, "training": SHORT}
    whole = distill(SMALL, task(), **how)  # type: ignore[arg-type]
    with pytest.raises(Killed):
        distill(SMALL, task(), **how, directory=tmp_path, progress=kill_at(2))  # type: ignore[arg-type]
    again = distill(SMALL, task(), **how, directory=tmp_path, resume=True)  # type: ignore[arg-type]
    assert whole.result["validation"] == again.result["validation"]
    finished = distill(SMALL, task(), **how, directory=tmp_path, resume=True)  # type: ignore[arg-type]
    for found in (again, finished):
        for a, b in zip(weights(whole), weights(found), strict=True):
            assert torch.equal(a, b)


def test_a_member_does_not_depend_on_the_others() -> None:
    both, alone = (train(SMALL, task(), seeds=seeds, training=SHORT) for seeds in ([0, 5], [5]))
    for name, value in alone.cohort.member_state(0).items():
        torch.testing.assert_close(value, both.cohort.member_state(1)[name])


def test_the_teacher_is_live_and_left_alone() -> None:
    """Its outputs on the augmented images are what the student gets; neither weights nor statistics move."""
    before = [value.clone() for value in weights(teacher())]
    run = distill(SMALL, task(), method=KD(), teacher=teacher(), seeds=3, training=SHORT)
    assert run.result["protocol"]["teacher"]["kind"] == "run"
    assert all(torch.equal(a, b) for a, b in zip(before, weights(teacher()), strict=True))
    together = distill(SMALL, task(), method=KD(), teacher=Ensemble(teacher()), seeds=3, training=SHORT)
    assert together.result["protocol"]["teacher"]["ensemble"] == 2
    assert not torch.equal(weights(run)[0], weights(together)[0])


def test_smoothing_of_the_selected_epoch_is_kept() -> None:
    run = train(SMALL, task(), seeds=2, training=SHORT)
    assert run.cohort.member_state(0)["smoothing"] == 0
    smooth = distill(SMALL, task(), method=Smoothing(sigma=1.0, factor=0.5, every=1), seeds=2, training=SHORT)
    for i, epoch in enumerate(smooth.result["best_epoch"]):
        assert smooth.cohort.member_state(i)["smoothing"] == 0.5 ** (epoch - 1)


def test_groups_of_networks_of_images() -> None:
    run = distill(SMALL, task(), method=DML(), peers=2, seeds=2, training=SHORT)
    assert run.members == 4
    assert len(run.test) == 3


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: train(GCN(hidden=4), task(), training=SHORT), "reads graphs"),
        (lambda: train(SMALL, tiny_task(), training=SHORT), "reads images"),
        (lambda: distill(SMALL, task(), method=KD(), teacher=torch.zeros(3, 10)), "must be run on each batch"),
        (lambda: distill(SMALL, task(), method=KD(), teacher=teacher(), teacher_graph="own"), "has no graph"),
        (
            lambda: distill(MLP(hidden=4), tiny_task(), method=Smoothing(), training=Training(epochs=1)),
            "cannot be smoothed",
        ),
    ],
)
def test_refusals(call: object, says: str) -> None:
    with pytest.raises(GraphstillError, match=says):
        call()  # type: ignore[operator]


def test_a_member_is_a_plain_module() -> None:
    images = task().validation_batch()
    assert isinstance(images.x, torch.Tensor)
    with torch.no_grad():
        logits = teacher().cohort(images.x, images.graph).logits
        torch.testing.assert_close(teacher().member(1)(images.x), logits[1])


def test_a_teacher_of_other_images_is_refused() -> None:
    other = load_images("digits-images", per_class=6, val_per_class=4, batch_size=16, seed=1)
    with pytest.raises(DataError, match="other data"):
        distill(SMALL, other, method=KD(), teacher=teacher(), training=SHORT)
    with pytest.raises(ConfigError, match="seeds"):
        train(SMALL, task(), seeds=0)
