"""FitNet: what is projected, what is refused, two stages."""

from __future__ import annotations

import pytest
import torch

from graphstill.engine import Training, distill, train
from graphstill.errors import ConfigError, MethodError
from graphstill.methods import FitNet
from graphstill.methods.heads import TwoHeads
from graphstill.nn import GCN
from tests.methods.stage import as_target, map_view, set_stage
from tests.tiny import tiny_task

WIDE = GCN(hidden=20, layers=2, dropout=0.0)


def test_without_a_map_it_is_the_mean_squared_distance() -> None:
    stage = set_stage(FitNet(project="none"), tiny_task(), [0, 1])
    assert stage.t is not None
    expected = (stage.s.hidden[-1].post - stage.t.hidden[-1].post).square().mean((1, 2))
    torch.testing.assert_close(stage.terms()["hint"], expected)
    same = stage.s.detach()
    assert stage.total(same, as_target(same, stage.t)).abs().max() == 0
    moved = map_view(same, lambda x: x + 0.1)
    torch.testing.assert_close(stage.total(moved, as_target(same, stage.t)), torch.full((2,), 0.01))


def test_the_map_leads_to_the_teachers_width() -> None:
    stage = set_stage(FitNet(), tiny_task(), [0, 1], teacher_model=WIDE)
    joint = stage.active[0].parts.joint
    assert joint is not None and [tuple(p.shape) for p in joint.parameters()] == [(2, 6, 20), (2, 20)]
    stage.total().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in joint.parameters())


def test_released_projects_both_sides() -> None:
    stage = set_stage(FitNet.released(), tiny_task(), [0, 1], teacher_model=WIDE)
    heads = stage.active[0].parts.joint
    assert isinstance(heads, TwoHeads) and stage.t is not None
    rows = stage.step.train_rows
    # Of rows of length 1 the mean squared distance is (2 − 2 cos) / width.
    u, v = heads.student(stage.s.hidden[-1].post[:, rows]), heads.teacher(stage.t.hidden[-1].post[:, rows])
    expected = (2 - 2 * torch.cosine_similarity(u, v, dim=-1)).mean(1) / 128
    torch.testing.assert_close(stage.terms()["hint"], expected, rtol=1e-4, atol=1e-7)


def test_two_stages() -> None:
    method = FitNet(hint_phase=0.4)
    assert (method.supervision(0.3), method.ramp(0.3)) == (0.0, 1.0)
    assert (method.supervision(0.4), method.ramp(0.4)) == (1.0, 0.0)
    assert (FitNet().supervision(0.0), FitNet().ramp(0.9)) == (1.0, 1.0)
    task = tiny_task()
    teacher = train(GCN(hidden=8), task, training=Training(epochs=5))
    run = distill(GCN(hidden=4), task, teacher=teacher, method=method, training=Training(epochs=5))
    assert run.members == 1


def test_refuses() -> None:
    with pytest.raises(MethodError, match="6 wide and the teacher's 20: use project"):
        set_stage(FitNet(project="none"), tiny_task(), [0], teacher_model=WIDE)
    for wrong in ({"project": "teacher"}, {"width": 0}, {"width": 2.5}, {"place": "in"}, {"hint_phase": -1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            FitNet(**wrong)  # type: ignore[arg-type]
