"""AT: invariances and scales; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphstill.errors import ConfigError
from graphstill.methods import AT
from graphstill.nn import GCN
from tests.methods.maps import set_images
from tests.methods.stage import map_view, set_stage
from tests.tiny import tiny_task


def test_signs_and_a_factor_do_not_count() -> None:
    stage = set_stage(AT(), tiny_task(), [0, 1], teacher_model=GCN(hidden=20, layers=2, dropout=0.0))
    value = stage.total()
    assert (value > 0).all() and (value < 2).all()
    torch.testing.assert_close(stage.total(map_view(stage.s, lambda x: -3 * x)), value)


def test_the_mean_is_the_sum_less_the_nodes() -> None:
    whole = set_stage(AT(place="dropped", nodes="train"), tiny_task(), [0]).total()
    released = set_stage(AT.released(), tiny_task(), [0]).total()
    torch.testing.assert_close(released * 30, whole)
    assert released.item() <= 2 / 30


@pytest.mark.parametrize("wrong", [{"power": 0}, {"reduction": "max"}, {"place": "in"}, {"nodes": "test"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AT(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [4, 2])
@pytest.mark.parametrize("power", [2.0, 1.0])
def test_each_image_has_a_map_of_its_own(size: int, power: float) -> None:
    """Section 3.1 of the paper, image by image."""
    method = AT(layer=-2, teacher_layer=-2, power=power)
    images = set_images(method, teacher=((8, size, size), (8,)))
    value = method.loss(images.s, images.t, images.step)["attention"]
    for m in range(2):
        expected = torch.zeros((), dtype=torch.float64)
        for s, t in zip(images.s.hidden[1].post[m], images.t.hidden[0].post[0], strict=True):
            a, b = (F.adaptive_avg_pool2d(x, size).abs().pow(power).sum(0).flatten() for x in (s, t))
            expected = expected + (a / a.norm() - b / b.norm()).square().sum() / 10
        torch.testing.assert_close(value[m], expected)
    by_mean = AT(layer=-2, teacher_layer=-2, power=power, reduction="mean")
    torch.testing.assert_close(by_mean.loss(images.s, images.t, images.step)["attention"] * size**2, value)
