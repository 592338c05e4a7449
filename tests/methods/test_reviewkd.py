"""ReviewKD: the fusion written out once more, its sizes, the ramp; HCL is in tests/losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.engine import Training, distill, train
from graphstill.errors import ConfigError, MethodError
from graphstill.method.parts.review_fusion import Conv, Fusion, Review
from graphstill.methods import ReviewKD
from graphstill.nn import GCN
from graphstill.nn.layers import initialise
from tests.methods.maps import Images, set_images
from tests.methods.stage import set_stage
from tests.tiny import tiny_task

NOW = ReviewKD(warm_up=0)


def review_of(images: Images) -> Review:
    assert isinstance(images.parts.joint, Review)
    return images.parts.joint


def term(images: Images, method: ReviewKD = NOW) -> Tensor:
    return method.loss(images.s, images.t, images.step)["review"]


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt() * weight[:, None, None] + bias[:, None, None]


def literal(images: Images, m: int) -> Tensor:
    """Section 3 of the paper for one member, from the deepest stage on."""
    total: Tensor | float = 0.0
    passed: Tensor | None = None
    for i in (2, 1, 0):
        stage, h, t = review_of(images).stages[i], images.s.hidden[i].post[m], images.t.hidden[i].pre[0]
        assert isinstance(stage, Fusion)
        h, t = (x if x.dim() == 4 else x[:, :, None, None] for x in (h, t))
        x = norm(F.conv2d(h, stage.inward.weight[m]), stage.inward_norm.weight[m], stage.inward_norm.bias[m])
        if passed is not None:
            assert stage.weigh is not None and stage.weigh.bias is not None
            above = F.interpolate(passed, x.shape[2:], mode="nearest")
            both = F.conv2d(torch.cat([x, above], 1), stage.weigh.weight[m], stage.weigh.bias[m]).sigmoid()
            x = both[:, :1] * x + both[:, 1:] * above
        passed = F.interpolate(x, t.shape[2:], mode="nearest")
        o = F.conv2d(passed, stage.outward.weight[m], padding=1)
        o = norm(o, stage.outward_norm.weight[m], stage.outward_norm.bias[m])
        value, weight, weights = F.mse_loss(o, t), 1.0, 1.0
        for level in (4, 2, 1):
            if level < o.shape[2]:
                weight, weights = weight / 2, weights + weight / 2
                pools = (F.adaptive_avg_pool2d(a, level) for a in (o, t))
                value = value + weight * F.mse_loss(*pools)
        total = total + value / weights
    return torch.as_tensor(total)


@pytest.mark.parametrize("teacher", [((5, 8, 8), (8, 4, 4), (8,)), ((5, 16, 16), (8, 2, 2), (8,))])
def test_equals_the_equations(teacher: tuple[tuple[int, ...], ...]) -> None:
    """Also where the teacher's maps are larger or smaller."""
    images = set_images(NOW, teacher=teacher)
    value = term(images)
    for m in range(2):
        torch.testing.assert_close(value[m], literal(images, m))


@pytest.mark.parametrize(
    ("student", "teacher", "count"),
    [
        ((16, 32, 64, 64), (16, 32, 64, 64), 114_278),
        ((64, 128, 256, 256), (64, 128, 256, 256), 1_808_774),
        ((32, 64, 128, 128), (32, 64, 128, 128), 453_830),
        ((240, 480, 960, 960), (64, 128, 256, 256), 4_607_366),
    ],
    ids=["resnet20", "resnet8x4", "wrn16-2", "shufflev1 of resnet32x4"],
)
def test_number_of_parameters(student: tuple[int, ...], teacher: tuple[int, ...], count: int) -> None:
    """As the released modules have."""
    review = Review(1, student, teacher, 3)
    assert sum(p.numel() for p in review.parameters()) == count
    assert all(p.shape[0] == 1 for p in review.parameters())


@pytest.mark.parametrize("sign", [1, -1])
def test_saturated_weights_keep_one_side(sign: int) -> None:
    fusion = Fusion(2, 4, 6, 5, 3, deepest=False)
    initialise(fusion, [0, 1])
    assert fusion.weigh is not None and fusion.weigh.bias is not None
    with torch.no_grad():
        fusion.weigh.bias.copy_(torch.tensor([100.0 * sign, -100.0 * sign]))
    h, deeper = torch.randn(3, 4, 8, 8), torch.randn(3, 6, 4, 4)
    _, r = fusion(h, deeper, torch.Size((8, 8)), 1)
    own = F.batch_norm(fusion.inward(h, 1), None, None, training=True)
    torch.testing.assert_close(r, own if sign > 0 else deeper.repeat_interleave(2, 2).repeat_interleave(2, 3))


def test_the_shallowest_loss_reaches_the_deepest_stage() -> None:
    images = set_images(NOW)
    sizes = [torch.Size((8, 8)), torch.Size((4, 4)), torch.Size((1, 1))]
    layers = [h.post if h.post.dim() == 5 else h.post[..., None, None] for h in images.s.hidden]
    review_of(images)(layers, sizes)[0].square().sum().backward()
    assert all(h.pre.grad is not None and h.pre.grad.abs().max() > 0 for h in images.s.hidden)
    assert images.t.hidden[0].pre.grad is None


def test_a_convolution_of_one_position_is_that_of_any_other() -> None:
    conv = Conv(2, 3, 4, 3).double()
    initialise(conv, [0, 1])
    x = torch.randn(5, 3, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(conv(x, 1), F.conv2d(x, conv.weight[1], padding=1))
    assert conv.weight.abs().max() <= (3 / 27) ** 0.5, "Kaiming-uniform with a = 1"


def test_members_start_from_their_own_seeds() -> None:
    one, two = Review(1, (4, 6), (5, 8), 3), Review(2, (4, 6), (5, 8), 3)
    initialise(one, [7]), initialise(two, [3, 7])
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a[0], b[1])


def test_ramp() -> None:
    """Absent in the first epoch, in full after `warm_up`."""
    images = set_images(ReviewKD())
    assert ReviewKD().loss(images.s, images.t, images.step) == {}
    full = term(images)
    for epoch, factor in ((5, 0.25), (20, 1.0), (200, 1.0)):
        images.move(epoch=epoch)
        torch.testing.assert_close(term(images, ReviewKD()), factor * full)


def test_graph() -> None:
    """One layer of a graph: normalised products in place of convolutions."""
    method = ReviewKD(warm_up=0, stages=1)
    stage = set_stage(method, tiny_task(), [0, 1], teacher_model=GCN(hidden=20, layers=2, dropout=0.0))
    review = stage.active[0].parts.joint
    assert isinstance(review, Review) and len(review.stages) == 1 and stage.t is not None
    shapes = [tuple(p.shape) for p in review.parameters()]
    assert shapes == [(2, 6, 6, 1, 1), (2, 6), (2, 6), (2, 20, 6, 1, 1), (2, 20), (2, 20)]
    (only,) = review.stages
    h = stage.s.hidden[-1].post
    x = F.batch_norm(h[1] @ only.inward.weight[1, :, :, 0, 0].T, None, None, training=True)
    o = F.batch_norm(x @ only.outward.weight[1, :, :, 0, 0].T, None, None, training=True)
    a = torch.eye(120)
    a[stage.s.graph.target.long(), stage.s.graph.source.long()] = 1
    a = a / a.sum(1, keepdim=True)
    d = o - stage.t.hidden[-1].pre[0]
    levels = [d, a @ d, a @ a @ d, d.mean(0, keepdim=True)]
    expected = sum(0.5**i * level.square().mean() for i, level in enumerate(levels)) / 1.875
    torch.testing.assert_close(stage.total()[1], torch.as_tensor(expected), rtol=1e-4, atol=1e-5)


def test_the_student_keeps_none_of_it() -> None:
    task = tiny_task()
    teacher = train(GCN(hidden=8, layers=3), task, training=Training(epochs=5))
    plain = train(GCN(hidden=4, layers=3), task, training=Training(epochs=3))
    run = distill(GCN(hidden=4, layers=3), task, teacher=teacher, method=5 * NOW, training=Training(epochs=3))
    assert run.cohorts[0].member_state(0).keys() == plain.cohorts[0].member_state(0).keys()


def test_refuses() -> None:
    with pytest.raises(MethodError, match=r"student has 2 and the teacher 1: set stages.* to 1 at most"):
        set_stage(NOW, tiny_task(), [0], teacher_model=GCN(hidden=20, layers=2, dropout=0.0))
    with pytest.raises(MethodError, match="last 3 hidden layers, but the student has 2"):
        set_stage(ReviewKD(stages=3), tiny_task(), [0])
    for wrong in ({"warm_up": -1}, {"stages": 0}, {"place": "in"}, {"teacher_place": "in"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            ReviewKD(**wrong)  # type: ignore[arg-type]
    assert ReviewKD.released() == ReviewKD()
