"""GKD: weights, layers, sampled rows, random features; closed forms are in tests/losses/test_pairs.py."""

from __future__ import annotations

import math

import pytest
import torch

from graphstill.errors import ConfigError, MethodError
from graphstill.methods import GKD
from graphstill.nn import GCN
from tests.methods.stage import as_target, map_view, set_stage
from tests.tiny import tiny_task

WIDE = GCN(hidden=20, layers=3, dropout=0.0)
KERNELS = ["gauss", "exponential", "sigmoid", "random"]


def gauss(h: torch.Tensor, t: float) -> torch.Tensor:
    return (-(h[:, :, None] - h[:, None]).square().sum(-1) / (4 * t)).exp()


def test_gauss_equals_dense_matrices_over_all_layers() -> None:
    stage = set_stage(GKD(scale=0.3, delta=0.2), tiny_task(), [0, 1], teacher_model=WIDE)
    assert stage.t is not None
    graph = stage.s.graph.with_self_loops()
    weights = torch.full((120, 120), 0.2)
    weights[graph.target.long(), graph.source.long()] = 1
    layers = [
        (weights * (gauss(t.pre, 0.3) - gauss(s.pre, 0.3)).square()).mean((1, 2))
        for s, t in zip(stage.s.hidden, stage.t.hidden, strict=True)
    ]
    torch.testing.assert_close(stage.terms()["kernel"], torch.stack(layers).mean(0), rtol=1e-4, atol=1e-7)


def test_sigmoid_scale() -> None:
    stage = set_stage(GKD(kernel="sigmoid", scale=0.5, delta=1.0, layers="last"), tiny_task(), [0])
    assert stage.t is not None
    s, t = ((0.5 * h.pre @ h.pre.transpose(1, 2)).tanh() for h in (stage.s.hidden[-1], stage.t.hidden[-1]))
    torch.testing.assert_close(stage.total(), (s - t).square().mean((1, 2)), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("kernel", KERNELS)
def test_zero_at_the_target(kernel: str) -> None:
    stage = set_stage(GKD(kernel=kernel), tiny_task(), [0])  # type: ignore[arg-type]
    same = stage.s.detach()
    assert stage.total(same, as_target(same, stage.t)).abs().item() < 1e-6
    moved = map_view(same, lambda x: x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0)))
    assert stage.total(moved, as_target(same, stage.t)).item() > 1e-5


def test_sampled_rows_have_the_right_mean() -> None:
    stage = set_stage(GKD(samples=20), tiny_task(), [0, 1])
    exact = set_stage(GKD(samples=None), tiny_task(), [0, 1]).total().detach()
    estimates = []
    for number in range(60):
        stage.move(number=number)
        estimates.append(stage.total().detach())
    assert not torch.equal(estimates[0], estimates[1])
    torch.testing.assert_close(torch.stack(estimates).mean(0), exact, rtol=0.05, atol=0)


def test_random_directions_are_shared_and_drawn_anew() -> None:
    stage = set_stage(GKD(kernel="random"), tiny_task(), [0, 7])
    first, again = stage.total(), stage.total()
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    stage.move(number=1)
    assert not torch.equal(stage.total(), first)
    alone = set_stage(GKD(kernel="random"), tiny_task(), [7]).total()
    torch.testing.assert_close(alone[0], first[1])
    data = set_stage(GKD(kernel="random", scale=2.0), tiny_task(), [0]).total()
    single = set_stage(GKD(kernel="random", scale=1.0), tiny_task(), [0]).total()
    torch.testing.assert_close(data, 4 * single)


def test_released() -> None:
    method = GKD.released()
    assert method.supervision(0.0) == 0.5 and GKD().supervision(0.0) == 1.0
    summed = set_stage(method, tiny_task(), [0]).total()
    mean = set_stage(GKD(kernel="exponential", scale=1.0), tiny_task(), [0]).total()
    torch.testing.assert_close(summed, 0.5 * 120**2 * mean)


def test_layers() -> None:
    deep = GCN(hidden=6, layers=5, dropout=0.0)
    with pytest.raises(MethodError, match='student has 2 and the teacher 4: use layers="last"'):
        set_stage(GKD(), tiny_task(), [0], teacher_model=deep)
    assert set_stage(GKD(layers="last"), tiny_task(), [0], teacher_model=deep).total().item() > 0
    with pytest.raises(MethodError, match="6 wide and the teacher's 20: choose another kernel"):
        set_stage(GKD(kernel="random"), tiny_task(), [0], teacher_model=WIDE)


def test_gauss_of_the_paper() -> None:
    assert GKD(scale=1.0)._pair_scale() == pytest.approx(math.sqrt(2)), "exp(−d² / 4T) = exp(−d² / 2σ²)"


@pytest.mark.parametrize("wrong", [{"kernel": "rbf"}, {"scale": 0.0}, {"delta": -1}, {"samples": 0}, {"alpha": 2.0}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GKD(**wrong)  # type: ignore[arg-type]
