"""RKD: similarity transforms, and which nodes are drawn; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from graphstill.errors import ConfigError
from graphstill.losses import angle_relation, distance_relation
from graphstill.method.sampling import Sampler
from graphstill.methods import RKD
from graphstill.nn import GCN
from tests.methods.maps import set_images
from tests.methods.stage import as_target, map_view, set_stage
from tests.tiny import tiny_task

CPU = torch.device("cpu")


def test_a_similarity_transform_of_the_teacher_is_the_teacher() -> None:
    stage = set_stage(RKD(samples=20, place="pre"), tiny_task(), [0])
    q = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0))).Q
    same = stage.s.detach()
    turned = map_view(same, lambda x: 3 * x @ q + 1 if x.shape[-1] == 6 else x)
    assert stage.total(turned, as_target(same, stage.t)).abs().item() < 1e-5


def test_drawn_nodes_and_weights() -> None:
    wide = GCN(hidden=20, layers=2, dropout=0.0)
    stage = set_stage(RKD(samples=10), tiny_task(), [0, 7], teacher_model=wide)
    stage.move(number=3)
    sampler: Sampler = stage.active[0].parts.options["sampler"]
    drawn = sampler.draw(3, 120, 10, CPU)
    assert drawn is not None and stage.t is not None and not torch.equal(drawn[0], drawn[1])
    s, t = stage.s.hidden[-1].post, stage.t.hidden[-1].post
    terms = stage.terms()
    for m in range(2):
        a, b = t[:, drawn[m]], s[m : m + 1, drawn[m]]
        torch.testing.assert_close(terms["distance"][m], distance_relation(a, b)[0])
        torch.testing.assert_close(terms["angle"][m], 2 * angle_relation(a, b)[0])
    assert list(set_stage(RKD(angle_weight=0.0), tiny_task(), [0]).terms()) == ["distance"]
    assert RKD.released() == RKD(distance_weight=25.0, angle_weight=50.0)


def test_draws_depend_on_seed_purpose_and_step_alone() -> None:
    one, two = Sampler([5], "rkd"), Sampler([4, 5], "rkd")
    first = one.draw(0, 50, 12, CPU)
    assert first is not None and first.shape == (1, 12)
    assert first[0].unique().numel() == 12 and int(first.min()) >= 0 and int(first.max()) < 50
    second = two.draw(0, 50, 12, CPU)
    assert second is not None and torch.equal(second[1], first[0]) and not torch.equal(second[0], first[0])
    for other in (one.draw(1, 50, 12, CPU), Sampler([5], "gsp").draw(0, 50, 12, CPU)):
        assert other is not None and not torch.equal(other, first)
    assert one.draw(0, 12, 12, CPU) is None and one.draw(0, 50, None, CPU) is None
    counts = torch.zeros(10)
    for step in range(500):
        rows = one.draw(step, 10, 3, CPU)
        assert rows is not None
        counts[rows[0]] += 1
    assert (counts - 150).abs().max() < 50, "every node as often as any other"


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"distance_weight": -1}, {"place": "in"}, {"nodes": "test"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RKD(**wrong)  # type: ignore[arg-type]


def test_maps_are_vectors_of_an_image() -> None:
    method = RKD(samples=6, layer=-2, teacher_layer=-2)
    images = set_images(method)
    drawn = images.parts.options["sampler"].draw(0, 10, 6, CPU)
    terms = method.loss(images.s, images.t, images.step)
    for m in range(2):
        s, t = (x.flatten(1)[drawn[m]] for x in (images.s.hidden[1].post[m], images.t.hidden[1].post[0]))
        assert s.shape == (6, 96) and t.shape == (6, 128)
        a, b = (torch.cdist(x, x) for x in (s, t))
        a, b = (x / x[x > 0].mean() for x in (a, b))
        torch.testing.assert_close(terms["distance"][m], F.smooth_l1_loss(a, b), rtol=1e-5, atol=1e-7)
        torch.testing.assert_close(terms["angle"][m], 2 * angle_relation(t[None], s[None])[0])
