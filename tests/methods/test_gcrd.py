"""G-CRD: candidates are the drawn nodes; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from graphstill.errors import ConfigError
from graphstill.losses import info_nce
from graphstill.method.parts.projection import TwoHeads
from graphstill.methods import GCRD
from graphstill.nn import GCN
from tests.methods.stage import set_stage
from tests.tiny import tiny_task

WIDE = GCN(hidden=20, layers=2, dropout=0.0)


def test_equals_cross_entropy_over_the_drawn_nodes() -> None:
    stage = set_stage(GCRD(samples=25, width=16), tiny_task(), [0, 1], teacher_model=WIDE)
    stage.move(number=4)
    value = stage.total()
    parts = stage.active[0].parts
    drawn = parts.options["sampler"].draw(4, 120, 25, torch.device("cpu"))
    heads = parts.joint
    assert isinstance(heads, TwoHeads) and stage.t is not None
    s = torch.stack([stage.s.hidden[-1].post[m, drawn[m]] for m in range(2)])
    t = torch.stack([stage.t.hidden[-1].post[0, drawn[m]] for m in range(2)])
    u, v = F.normalize(heads.student(s), dim=-1), F.normalize(heads.teacher(t), dim=-1)
    for m in range(2):
        torch.testing.assert_close(value[m], F.cross_entropy(u[m] @ v[m].T / 0.075, torch.arange(25)))
    value.sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in (heads.student.linear.weight,))
    assert heads.teacher.linear.weight.grad is not None, "both heads learn"


def test_equal_scores_cost_log_n() -> None:
    stage = set_stage(GCRD(), tiny_task(), [0], teacher_model=WIDE)
    heads = stage.active[0].parts.joint
    assert isinstance(heads, TwoHeads)
    with torch.no_grad():
        heads.student.norm.weight.zero_()
    assert stage.total().item() == pytest.approx(math.log(120), rel=1e-6)


def test_at_the_target_it_is_minimal_without_heads() -> None:
    """With orthonormal rows no student embedding scores better than the teacher's own."""
    v = torch.eye(8)[None]
    best = info_nce(v, v, 0.075)
    for seed in range(10):
        u = F.normalize(v + 0.3 * torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(seed)), dim=-1)
        assert (info_nce(v, u, 0.075) >= best).all()


def test_released() -> None:
    assert GCRD.released() == GCRD(samples=16384, place="dropped", nodes="train")


@pytest.mark.parametrize("wrong", [{"temperature": 0}, {"samples": 0}, {"width": 0}, {"nodes": "test"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GCRD(**wrong)  # type: ignore[arg-type]
