"""Where smoothing acts: behind every 3x3 convolution, before its normalisation, and bitwise nowhere when it is off."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from graphstill.ops import gaussian_filter
from graphstill.vision import ImageModel
from tests.vision.parts import EVERY, SMALL, build, graph, images, noise

every = pytest.mark.parametrize("spec", EVERY, ids=str)


@every
def test_every_3x3_convolution_is_filtered(spec: ImageModel) -> None:
    cohort, x = build(spec, [0]).double(), images().double()
    cohort(x, graph(), noise([0]))  # normalisations that do something
    by_hand, plain = copy.deepcopy(cohort.networks[0]).eval(), cohort(x, graph()).logits
    sites = [m for m in by_hand.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)]

    def blur(module: nn.Module, args: object, output: Tensor) -> Tensor:  # noqa: ARG001 - the signature of a hook
        return gaussian_filter(output, 0.75)

    for site in sites:
        site.register_forward_hook(blur)
    parameters = len(list(cohort.parameters()))
    cohort.smooth(0.75)
    out = cohort(x, graph())
    logits, taps, _ = by_hand(x)
    assert_close(out.logits[0], logits)
    for hidden, tap in zip(out.hidden[:-1], taps, strict=True):
        assert_close(hidden.pre[0], tap.pre)
    assert not torch.allclose(out.logits, plain) and len(list(cohort.parameters())) == parameters


@pytest.mark.parametrize("spec", SMALL, ids=str)
def test_off_is_off_to_the_bit(spec: ImageModel) -> None:
    cohort, x = build(spec), images()
    never = cohort(x, graph()).logits
    for sigma in (0.0, 0.15):
        cohort.smooth(sigma)
        assert torch.equal(cohort(x, graph()).logits, never)
    assert cohort.smoothing.tolist() == [pytest.approx(0.15)] * 2


def test_members_may_differ() -> None:
    spec = SMALL[0]
    cohort, x = build(spec), images()
    plain = cohort(x, graph()).logits
    cohort.load_member_state(1, cohort.member_state(1) | {"smoothing": torch.tensor(1.0)})
    out = cohort(x, graph()).logits
    assert torch.equal(out[0], plain[0]) and not torch.equal(out[1], plain[1])
    assert cohort.member(0).kernel is None and cohort.member(1).kernel is not None
