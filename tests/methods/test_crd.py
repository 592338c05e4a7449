"""CRD: banks, draws, order of the nodes; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from graphstill.engine import terms
from graphstill.errors import ConfigError
from graphstill.method.parts.projection import Embeddings
from graphstill.methods import CRD
from graphstill.nn import GCN
from tests.methods.maps import set_images
from tests.methods.stage import Stage, set_stage
from tests.tiny import tiny_task

WIDE = GCN(hidden=20, layers=2, dropout=0.0)


def after(stage: Stage) -> None:
    stage.put(parts=stage.active[0].parts)
    terms.after_step(stage.active, stage.s, stage.t, stage.peers, stage.step)


def test_bank_rows_of_the_anchors_move_and_stay_of_length_one() -> None:
    stage = set_stage(CRD(samples=10, negatives=30), tiny_task(), [0, 7], teacher_model=WIDE)
    parts = stage.active[0].parts
    before = {name: parts.state[name].clone() for name in ("student", "teacher")}
    stage.move(number=2)
    after(stage)
    drawn = parts.options["anchors"].draw(2, 120, 10, torch.device("cpu"))
    for name, old in before.items():
        new = parts.state[name]
        torch.testing.assert_close(new.norm(dim=-1), torch.ones(2, 120))
        moved = (new != old).any(-1)
        for m in range(2):
            assert moved[m].nonzero().flatten().tolist() == drawn[m].tolist()


def test_momentum_zero_keeps_the_embeddings() -> None:
    stage = set_stage(CRD(momentum=0.0), tiny_task(), [0, 1], teacher_model=WIDE)
    after(stage)
    parts = stage.active[0].parts
    assert parts.joint is not None and stage.t is not None
    u, v = parts.joint(stage.s.hidden[-1].post, stage.t.hidden[-1].post)
    torch.testing.assert_close(parts.state["student"], u)
    torch.testing.assert_close(parts.state["teacher"], v)


def test_starts_near_even_odds_and_equals_the_definition() -> None:
    method = CRD(negatives=40, samples=None)
    stage = set_stage(method, tiny_task(), [0], teacher_model=WIDE)
    parts = stage.active[0].parts
    assert parts.joint is not None and stage.t is not None
    u, v = parts.joint(stage.s.hidden[-1].post, stage.t.hidden[-1].post)
    noise = parts.options["noise"].draw(0, 120, 40, torch.device("cpu"))[0]
    total, c = torch.zeros(()), 40 / 120
    for a, bank, z in ((u, "teacher", "student"), (v, "student", "teacher")):
        entries, norm = parts.state[bank][0], parts.state[f"log_z_{z}"][0].exp()
        torch.testing.assert_close(norm, 120 * (a[0] @ entries[noise].T / 0.07).exp().mean())
        near = (a[0] * entries).sum(-1).div(0.07).exp() / norm
        far = (a[0] @ entries[noise].T / 0.07).exp() / norm
        total = total - ((near / (near + c)).log() + (c / (far + c)).log().sum(-1)).mean()
    torch.testing.assert_close(stage.total()[0], total, rtol=1e-4, atol=1e-5)
    assert stage.total().item() == pytest.approx(2 * (math.log(41) + 1), rel=0.25)


def test_both_embeddings_learn_and_the_banks_do_not() -> None:
    stage = set_stage(CRD(), tiny_task(), [0], teacher_model=WIDE)
    stage.total().sum().backward()
    parts = stage.active[0].parts
    assert parts.joint is not None
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in parts.joint.parameters())
    assert not any(x.requires_grad for x in parts.state.values())


def test_order_of_nodes_changes_nothing_where_the_memory_is_reordered() -> None:
    order = np.random.default_rng(0).permutation(120)
    here = set_stage(CRD(), tiny_task(), [0, 1])
    there = set_stage(CRD(), tiny_task(order), [0, 1])
    there.active[0].parts.state = {
        k: v[:, torch.from_numpy(order)] if v.dim() == 3 else v for k, v in here.active[0].parts.state.items()
    }
    torch.testing.assert_close(here.total(), there.total(), rtol=1e-4, atol=1e-6)
    after(here), after(there)
    for bank in ("student", "teacher"):
        a, b = (stage.active[0].parts.state[bank] for stage in (here, there))
        torch.testing.assert_close(a[:, torch.from_numpy(order)], b)


def test_released() -> None:
    stage = set_stage(CRD.released(), tiny_task(), [0], teacher_model=WIDE)
    assert stage.total().item() == pytest.approx(2 * (math.log(121) + 1), rel=0.25), "all 120 nodes are the noise"


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"negatives": 0}, {"samples": 0}, {"momentum": 1.0}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        CRD(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("layer", "width"), [(-1, 6), (-2, 96)])
def test_maps_are_vectors_of_an_image(layer: int, width: int) -> None:
    method = CRD(width=5, negatives=12, samples=None, layer=layer, teacher_layer=layer)
    images = set_images(method, dtype=torch.float32)
    joint, state, ids = images.parts.joint, images.parts.state, images.s.nodes
    assert isinstance(joint, Embeddings) and joint.student.weight.shape == (2, width, 5)
    value = method.loss(images.s, images.t, images.step)["contrast"]
    noise, c = images.parts.options["noise"].draw(0, 40, 12, torch.device("cpu")), 12 / 40
    for m in range(2):
        total = torch.zeros(())
        for name, other, h in (("student", "teacher", images.s.hidden), ("teacher", "student", images.t.hidden)):
            linear, bank, z = getattr(joint, name), state[other][m], state[f"log_z_{name}"][m].exp()
            x = h[layer].post[m % len(h[layer].post)].flatten(1)
            a = torch.nn.functional.normalize(x @ linear.weight[m] + linear.bias[m], dim=-1)
            near = (a * bank[ids]).sum(-1).div(0.07).exp() / z
            far = (a @ bank[noise[m]].T / 0.07).exp() / z
            total = total - ((near / (near + c)).log() + (c / (far + c)).log().sum(-1)).mean()
        torch.testing.assert_close(value[m], total, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        method.after_step(images.s, images.t, images.step)
