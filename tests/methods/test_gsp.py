"""GSP: kernels, sampled nodes, projections; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.methods import GSP
from graphstill.nn import GCN
from tests.methods.stage import map_view, set_stage
from tests.tiny import tiny_task

WIDE = GCN(hidden=20, layers=2, dropout=0.0)


def test_cosine_over_all_pairs() -> None:
    stage = set_stage(GSP(samples=10), tiny_task(), [0, 1], teacher_model=WIDE)
    assert stage.t is not None

    def matrix(h: torch.Tensor) -> torch.Tensor:
        return torch.cosine_similarity(h[:, :, None], h[:, None], dim=-1)

    expected = (matrix(stage.s.hidden[-1].post) - matrix(stage.t.hidden[-1].post)).square().mean((1, 2))
    torch.testing.assert_close(stage.total(), expected, rtol=1e-4, atol=1e-6)
    longer = 0.5 + torch.rand(2, 120, 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(stage.total(map_view(stage.s, lambda x: x * longer)), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kernel", ["poly", "l2", "rbf"])
def test_drawn_nodes(kernel: str) -> None:
    stage = set_stage(GSP(kernel=kernel, samples=40), tiny_task(), [0, 1], teacher_model=WIDE)  # type: ignore[arg-type]
    whole = set_stage(GSP(kernel=kernel, samples=None), tiny_task(), [0, 1], teacher_model=WIDE)  # type: ignore[arg-type]
    exact, estimates = whole.total().detach(), []
    for number in range(20):
        stage.move(number=number)
        estimates.append(stage.total().detach())
    assert not torch.equal(estimates[0], estimates[1])
    # The diagonal is zero and over-represented among few nodes: the mean is a little too small.
    torch.testing.assert_close(torch.stack(estimates).mean(0), exact, rtol=0.1, atol=0)


def test_released_projects() -> None:
    stage = set_stage(GSP.released(), tiny_task(), [0, 1], teacher_model=WIDE)
    joint = stage.active[0].parts.joint
    assert joint is not None
    stage.total().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in joint.parameters())


@pytest.mark.parametrize("wrong", [{"kernel": "laplace"}, {"samples": 0}, {"scale": -1.0}, {"project": 0}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GSP(**wrong)  # type: ignore[arg-type]
