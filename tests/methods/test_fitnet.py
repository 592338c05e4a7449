"""FitNet: what is projected, what is refused, two stages."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphstill.engine import Training, distill, train
from graphstill.errors import ConfigError, MethodError
from graphstill.method.parts.projection import TwoHeads
from graphstill.methods import FitNet
from graphstill.nn import GCN
from graphstill.nn.layers import Linear
from tests.methods.maps import set_images
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
    rows = stage.step.batch.train_rows
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


@pytest.mark.parametrize("size", [4, 2, 7])
def test_maps_pass_a_convolution_of_one_position(size: int) -> None:
    """The larger of the two are averaged down first."""
    method = FitNet(layer=-2, teacher_layer=-2)
    images = set_images(method, teacher=((8, size, size), (8,)))
    joint = images.parts.joint
    assert isinstance(joint, Linear) and joint.weight.shape == (2, 6, 8)
    (value,) = method.loss(images.s, images.t, images.step).values()
    for m in range(2):
        least = min(4, size)
        s, t = (F.adaptive_avg_pool2d(x, least) for x in (images.s.hidden[1].post[m], images.t.hidden[0].post[0]))
        hint = F.conv2d(s, joint.weight[m].T[:, :, None, None], joint.bias[m])
        torch.testing.assert_close(value[m], F.mse_loss(hint, t))


def test_both_heads_on_maps() -> None:
    method = FitNet(project="both", width=64, normalize=True, layer=-2, teacher_layer=-2)
    images = set_images(method)
    heads = images.parts.joint
    assert isinstance(heads, TwoHeads)
    s, t = (x.hidden[1].post.movedim(2, -1).reshape(len(x.logits), -1, c) for x, c in ((images.s, 6), (images.t, 8)))
    expected = (2 - 2 * torch.cosine_similarity(heads.student(s), heads.teacher(t), dim=-1)).mean(1) / 64
    torch.testing.assert_close(method.loss(images.s, images.t, images.step)["hint"], expected, rtol=1e-4, atol=1e-6)


def test_a_vector_is_not_compared_with_maps() -> None:
    method = FitNet(layer=-1, teacher_layer=-2)
    images = set_images(method)
    with pytest.raises(MethodError, match=r"a vector in the student's layer and maps .* in the teacher's: choose"):
        method.loss(images.s, images.t, images.step)
