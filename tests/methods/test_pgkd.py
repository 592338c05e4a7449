"""PGKD: the learnt kernel, its reconstruction, what is refused."""

from __future__ import annotations

import pytest
import torch

from graphstill.engine import terms
from graphstill.errors import ConfigError, MethodError
from graphstill.methods import PGKD
from graphstill.methods.pgkd import LearntFeatures, standardised
from graphstill.nn import GCN
from tests.methods.stage import as_target, set_stage
from tests.tiny import tiny_task


def test_equals_dense_matrices() -> None:
    stage = set_stage(PGKD(delta=0.2, features=8), tiny_task(), [0, 1])
    learnt = stage.active[0].parts.adversary
    assert isinstance(learnt, LearntFeatures) and stage.t is not None
    graph = stage.s.graph.with_self_loops()
    weights = torch.full((120, 120), 0.2)
    weights[graph.target.long(), graph.source.long()] = 1

    def kernel(h: torch.Tensor) -> torch.Tensor:
        g = learnt(h)
        return g @ g.transpose(1, 2) / 8

    layers = [
        (weights * (kernel(t.pre) - kernel(s.pre)).square()).mean((1, 2))
        for s, t in zip(stage.s.hidden, stage.t.hidden, strict=True)
    ]
    torch.testing.assert_close(stage.terms()["kernel"], torch.stack(layers).mean(0), rtol=1e-4, atol=1e-6)


def test_reconstruction_of_the_first_layer() -> None:
    stage = set_stage(PGKD(features=8), tiny_task(), [0, 1])
    term, learnt = stage.active[0], stage.active[0].parts.adversary
    assert learnt is not None and stage.t is not None
    stage.put(parts=term.parts)
    expected = torch.zeros(2)
    for view in (stage.peers, stage.t):
        g = learnt(view.hidden[-1].pre)
        back = (g @ g.transpose(1, 2)) @ standardised(view.hidden[-1].pre) / 120
        expected = expected + (back - standardised(view.hidden[0].pre)).square().mean((1, 2))
    start = term.method.adversary_loss(stage.peers, stage.t, stage.step)
    torch.testing.assert_close(start, expected)
    for _ in range(30):
        terms.adversary_steps(stage.active, stage.t, stage.peers, stage.step)
    assert (term.method.adversary_loss(stage.peers, stage.t, stage.step) < start).all()


def test_zero_at_the_target() -> None:
    stage = set_stage(PGKD(), tiny_task(), [0])
    same = stage.s.detach()
    assert stage.total(same, as_target(same, stage.t)).abs().item() < 1e-6


def test_refuses() -> None:
    with pytest.raises(MethodError, match="6 wide and the teacher's 20"):
        set_stage(PGKD(), tiny_task(), [0], teacher_model=GCN(hidden=20, layers=3, dropout=0.0))
    with pytest.raises(MethodError, match="student has 2 and the teacher 1"):
        set_stage(PGKD(layers="last"), tiny_task(), [0], teacher_model=GCN(hidden=6, layers=2, dropout=0.0))
    for wrong in ({"delta": -1.0}, {"features": 0}, {"kernel_lr": 0.0}, {"layers": "first"}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            PGKD(**wrong)  # type: ignore[arg-type]
    assert PGKD.released() == PGKD(kernel_weight_decay=0.05)
