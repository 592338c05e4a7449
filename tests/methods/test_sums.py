"""Any sum of methods trains, or is refused with a reason before the first step."""

from __future__ import annotations

import math

import pytest

from graphstill.engine import Run, Training, distill, train
from graphstill.errors import MethodError
from graphstill.methods import GKD, KD, METHODS, OAD
from graphstill.nn import GCN
from tests.methods.stage import every_method, student_of
from tests.tiny import tiny_task

SHORT = Training(epochs=2, lr=0.02, weight_decay=5e-4)


@pytest.fixture(scope="module")
def teacher() -> Run:
    return train(GCN(hidden=6, layers=3), tiny_task(), seeds=1, training=Training(epochs=20))


def test_the_sum_of_the_design(teacher: Run) -> None:
    method = KD(temperature=2) + 0.1 * GKD() + OAD()
    run = distill(
        GCN(hidden=6, layers=3), tiny_task(), method=method, teacher=teacher, peers=3, seeds=2, training=SHORT
    )
    assert run.members == 6 and all(math.isfinite(v) for v in run.validation)
    assert all(name in run.result["effective_loss"] for name in ("kd(", "0.1 * gkd(", "oad("))


@pytest.mark.parametrize("name", every_method())
def test_with_soft_targets_of_a_teacher_and_of_peers(name: str, teacher: Run) -> None:
    method = METHODS[name]()
    run = distill(
        student_of(method),
        tiny_task(),
        method=KD() + 0.5 * method + METHODS["dml"](),
        teacher=teacher,
        peers=3,
        seeds=2,
        training=SHORT,
    )
    assert run.members == 6 and all(math.isfinite(v) for v in run.validation)
    assert f"0.5 * {name}(" in run.result["effective_loss"] or name == "independent"


@pytest.mark.parametrize(
    ("names", "peers", "reason"),
    [
        (("kd", "oad"), 1, "'oad' needs at least two peers"),
        (("kd", "okddip"), 2, "at least two auxiliary peers"),
        (("kd", "rod"), 1, "'rod' trains a network with several classifiers"),
        (("nosmog", "alignahead"), 2, "features of its own, for which they must be one cohort"),
    ],
)
def test_a_sum_that_cannot_be_is_refused_with_the_reason(
    names: tuple[str, str], peers: int, reason: str, teacher: Run
) -> None:
    first, second = (METHODS[name]() for name in names)
    student = GCN(hidden=6, layers=3)
    with pytest.raises(MethodError, match=reason):
        distill(student, tiny_task(), method=first + second, teacher=teacher, peers=peers, seeds=2, training=SHORT)


def test_a_teacher_that_no_part_listens_to_is_refused(teacher: Run) -> None:
    with pytest.raises(MethodError, match="no method uses one"):
        distill(GCN(hidden=6), tiny_task(), method=OAD() + METHODS["dml"](), teacher=teacher, peers=2, training=SHORT)
