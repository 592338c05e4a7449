"""SP: rotations and the two reductions; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphstill.errors import ConfigError
from graphstill.methods import SP
from graphstill.nn import GCN
from tests.methods.maps import set_images
from tests.methods.stage import as_target, map_view, set_stage
from tests.tiny import tiny_task


def test_a_rotated_student_is_the_teacher() -> None:
    stage = set_stage(SP(), tiny_task(), [0])
    q = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0))).Q
    same = stage.s.detach()
    turned = map_view(same, lambda x: x @ q if x.shape[-1] == 6 else x)
    assert stage.total(turned, as_target(same, stage.t)).abs().item() < 1e-5


def test_reductions() -> None:
    wide = GCN(hidden=20, layers=2, dropout=0.0)
    rows = set_stage(SP(nodes="train"), tiny_task(), [0, 1], teacher_model=wide).total()
    pairs = set_stage(SP(nodes="train", reduction="pairs"), tiny_task(), [0, 1], teacher_model=wide).total()
    torch.testing.assert_close(pairs * 30, rows)
    assert SP.released() == SP(reduction="pairs")


@pytest.mark.parametrize("wrong", [{"reduction": "sum"}, {"place": "in"}, {"nodes": "test"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SP(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("layer", [-1, -2, -3])
def test_maps_are_vectors_of_an_image(layer: int) -> None:
    method = SP(layer=layer, teacher_layer=layer)
    images = set_images(method)
    value = method.loss(images.s, images.t, images.step)["similarity"]
    for m in range(2):
        s, t = (x.flatten(1) for x in (images.s.hidden[layer].post[m], images.t.hidden[layer].post[0]))
        difference = F.normalize(s @ s.T, dim=-1) - F.normalize(t @ t.T, dim=-1)
        torch.testing.assert_close(value[m], difference.square().sum(1).mean())
