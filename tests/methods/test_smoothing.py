"""Smoothing: the schedule. The filter is tested with the networks that have it."""

from __future__ import annotations

import pytest

from graphstill.errors import ConfigError
from graphstill.methods import KD, Smoothing
from tests.methods.maps import set_images


def test_schedule() -> None:
    found = [Smoothing().smoothing(epoch) for epoch in (0, 4, 5, 9, 10, 195)]
    assert found == pytest.approx([1.0, 1.0, 0.9, 0.9, 0.81, 0.9**39])
    assert Smoothing(sigma=2.0, factor=0.5, every=1).smoothing(3) == 0.25
    assert Smoothing(factor=1.0).smoothing(1000) == 1.0
    assert [Smoothing(factor=0.0, every=3).smoothing(epoch) for epoch in (2, 3)] == [1.0, 0.0]


def test_adds_no_term_and_leaves_supervision_alone() -> None:
    method = Smoothing()
    images = set_images(method)
    assert method.loss(images.s, images.t, images.step) == {}
    assert method.supervision(0.5) == 1.0 and images.parts.joint is None
    assert [term.method.name for term in (KD() + method).terms] == ["kd", "smoothing"]


@pytest.mark.parametrize(
    "wrong", [{"sigma": 0}, {"sigma": float("nan")}, {"factor": 1.5}, {"every": 0}, {"every": 2.5}]
)
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Smoothing(**wrong)  # type: ignore[arg-type]
