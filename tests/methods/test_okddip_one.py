"""OKDDip and ONE: attention, gate, leader, what is trained by what."""

from __future__ import annotations

import math

import pytest
import torch

from graphstill.engine import Training, distill
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import softmax_kl, supervised
from graphstill.method import Method
from graphstill.method.schedules import ramp_up
from graphstill.methods import ONE, OKDDip
from graphstill.nn import GCN
from tests.methods.stage import Stage, set_stage
from tests.tiny import tiny_task


def stage_of(method: Method, seeds: list[int]) -> Stage:
    """A stage whose step holds the method's modules."""
    stage = set_stage(method, tiny_task(), seeds)
    stage.put(parts=stage.active[0].parts)
    return stage


def test_attention_against_a_loop() -> None:
    method = OKDDip(nodes="train")
    stage = stage_of(method, [0, 1])
    joint = stage.step.parts.joint
    weights = method.attention(stage.s, stage.step)
    features = stage.s.hidden[-1].post[:, stage.step.batch.train_rows]
    assert weights.shape == (2, 30, 2, 2)
    terms = method.loss(stage.s, stage.t, stage.step)
    for run in range(2):
        query, key = joint.query[3 * run], joint.key[3 * run]  # type: ignore[union-attr, index]
        f, z = features[3 * run : 3 * run + 2], stage.s.logits[3 * run : 3 * run + 3, stage.step.batch.train_rows]
        for n in range(0, 30, 7):
            scores = (f[:, n] @ query) @ (f[:, n] @ key).T
            torch.testing.assert_close(weights[run, n], scores.softmax(-1))
        mixed = torch.stack([(weights[run, :, a, :, None] * z[:2].transpose(0, 1)).sum(1) for a in range(2)])
        torch.testing.assert_close(terms["peers"][3 * run : 3 * run + 2], softmax_kl(mixed, z[:2], 3.0))
        torch.testing.assert_close(terms["leader"][3 * run + 2], softmax_kl(z[:2].mean(0)[None], z[2:], 3.0)[0])
    assert terms["peers"].view(2, 3)[:, 2].tolist() == [0, 0]
    assert terms["leader"].view(2, 3)[:, :2].abs().sum() == 0


def test_targets_train_the_projections_of_their_run_alone() -> None:
    stage = stage_of(OKDDip(), [0, 1])
    joint = stage.step.parts.joint
    assert joint is not None
    stage.terms()["peers"][:3].sum().backward()
    for weight in joint.parameters():
        assert weight.grad is not None
        assert (weight.grad.abs().sum((1, 2)) > 0).tolist() == [True] + [False] * 5


def test_equal_peers_have_nothing_to_learn() -> None:
    stage = stage_of(OKDDip(), [0])
    stage.s.logits = stage.s.logits[:1].expand(3, -1, -1)
    assert stage.total().abs().max() < 1e-6


def test_okddip_needs_three() -> None:
    with pytest.raises(MethodError, match="peers is 2"):
        distill(GCN(hidden=4), tiny_task(), method=OKDDip(), peers=2, training=Training(epochs=1))


def test_gate_is_a_distribution_over_peers_and_makes_the_ensemble() -> None:
    method = ONE(rampup=0)
    stage = stage_of(method, [0, 1])
    gate = method.gate(stage.s, stage.step)
    assert gate.shape == (2, 3, 120)
    torch.testing.assert_close(gate.sum(1), torch.ones(2, 120))
    ensemble = (gate.unsqueeze(-1) * stage.s.logits.view(2, 3, 120, 3)).sum(1)
    terms = stage.terms()
    rows = stage.step.batch.train_rows
    torch.testing.assert_close(
        terms["ensemble"].view(2, 3).sum(1), supervised(ensemble[:, rows], stage.step.batch.y[rows], False)
    )
    target = ensemble.repeat_interleave(3, 0)
    torch.testing.assert_close(terms["soft"], softmax_kl(target, stage.s.logits, 3.0))


def test_gate_is_normalised_and_rectified_as_torch_does() -> None:
    stage = stage_of(ONE(), [0])
    joint = stage.step.parts.joint
    assert joint is not None
    features = torch.randn(1, 50, 6, generator=torch.Generator().manual_seed(0))
    norm = torch.nn.BatchNorm1d(3)
    torch.testing.assert_close(joint(features)[0], norm(features[0] @ joint.weight[0]).relu())  # type: ignore[index]


def test_the_gate_learns_from_labels_only() -> None:
    stage = stage_of(ONE(rampup=0), [0])
    joint = stage.step.parts.joint
    assert joint is not None
    for term, learns in (("soft", False), ("ensemble", True)):
        stage.terms()[term].sum().backward(retain_graph=True)
        grads = [p.grad for p in joint.parameters()]
        assert any(g is not None and bool(g.abs().sum() > 0) for g in grads) == learns


def test_ramp() -> None:
    assert ramp_up(0.0, 0.5) == pytest.approx(math.exp(-5))
    assert ramp_up(0.25, 0.5) == pytest.approx(math.exp(-1.25))
    assert ramp_up(0.5, 0.5) == ramp_up(0.9, 0.5) == ramp_up(0.0, 0.0) == 1.0
    assert OKDDip(rampup=0.5).ramp(0.25) == ramp_up(0.25, 0.5) and ONE(rampup=0.5).ramp(0.25) == 1.0
    start = stage_of(ONE(), [0]).terms()["soft"]
    torch.testing.assert_close(start, math.exp(-5) * stage_of(ONE(rampup=0), [0]).terms()["soft"])


@pytest.mark.parametrize("method", [OKDDip, ONE])
@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"rampup": 2}, {"nodes": "test"}])
def test_refuses(method: type[ONE], wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        method(**wrong)  # type: ignore[arg-type]
