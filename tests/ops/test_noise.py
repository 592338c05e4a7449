from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.ops import Noise
from graphstill.ops.noise import hash_seed, splitmix64

DRAWS = {
    "keep": lambda noise: noise.keep((5, 7), 0.4),
    "uniform": lambda noise: noise.uniform((5, 7)),
    "normal": lambda noise: noise.normal((5, 7)),
    "dropout": lambda noise: noise.dropout(torch.ones(5, 7), 0.4),
}


def test_splitmix64_reference_values() -> None:
    """The first outputs for seed 0 of the published generator (java.util.SplittableRandom)."""
    assert [splitmix64(0), splitmix64(0x9E3779B97F4A7C15)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]
    assert len({hash_seed(a, b) for a in range(20) for b in range(-5, 15)}) == 400


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_a_member_draws_the_same_alone_and_in_any_company(draw) -> None:
    together = draw(Noise([11, 12, 13]).at(4))
    assert torch.equal(together[1:2], draw(Noise([12]).at(4)))
    assert torch.equal(together[1:2], draw(Noise([13, 12]).at(4).member(1)))
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_draws_are_a_function_of_seed_stream_and_step(draw) -> None:
    noise = Noise([1])
    first, second = draw(noise.at(3)), draw(noise)
    assert torch.equal(first, draw(noise.at(3)))
    assert torch.equal(second, draw(noise))
    others = [second, draw(noise.at(4)), draw(Noise([1], stream=1).at(3)), draw(Noise([2]).at(3))]
    assert not any(torch.equal(first, other) for other in others)


def test_a_member_view_draws_from_the_cohorts_generator() -> None:
    noise = Noise([1, 2])
    expected = [noise.at(0).uniform((3,))[1], noise.uniform((3,))[1]]
    view = noise.at(0).member(1)
    assert torch.equal(view.uniform((3,))[0], expected[0])
    assert torch.equal(noise.uniform((3,))[1], expected[1])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.6, 0.9])
def test_keep_rate(p: float) -> None:
    count = 400_000
    kept = Noise([0, 1]).keep((count,), p)
    rate = 1 - round(p * 256) / 256
    deviation = (kept.double().mean(1) - rate).abs() / (rate * (1 - rate) / count) ** 0.5
    assert kept.dtype == torch.bool and deviation.max() < 4.5
    # Every position of the packed bytes alike, the top byte of each word included.
    by_byte = kept[0].view(-1, 8).double().mean(0)
    assert ((by_byte - rate).abs() / (rate * (1 - rate) / (count / 8)) ** 0.5).max() < 4.5


def test_dropout_scales_what_it_keeps_and_so_does_its_gradient() -> None:
    noise = Noise([5, 6])
    x = torch.randn(2, 300, 4, dtype=torch.float64, requires_grad=True)
    out = noise.at(1).dropout(x, 0.3)
    kept = noise.at(1).keep((300, 4), 0.3)
    scale = 1 / (1 - round(0.3 * 256) / 256)
    assert torch.allclose(out, x * kept * scale)
    out.sum().backward()
    assert torch.allclose(x.grad, (kept * scale).double())


def test_dropout_of_a_shared_matrix_is_independent_for_each_member() -> None:
    x = torch.rand(50, 4, requires_grad=True)
    noise = Noise([0, 1, 2])
    out = noise.at(0).dropout(x, 0.5)
    assert out.shape == (3, 50, 4)
    out.sum().backward()
    assert torch.equal(x.grad, 2.0 * noise.at(0).keep((50, 4), 0.5).sum(0))
    rows = torch.ones(3, 50)
    assert torch.equal(noise.at(0).dropout(rows, 0.5, shared=False) > 0, noise.at(0).keep((50,), 0.5))


def test_a_rate_that_rounds_to_nothing_changes_nothing() -> None:
    x = torch.rand(2, 3, 4)
    assert torch.equal(Noise([0, 1]).dropout(x, 0.001), x)
    assert Noise([0, 1]).keep((1000,), 0.999).any()


def test_moments() -> None:
    noise = Noise([3])
    uniform, normal = noise.uniform((100_000,), torch.float64), noise.normal((100_000,), torch.float64)
    assert uniform.dtype == torch.float64 and uniform.min() >= 0 and uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.005 and abs(normal.mean()) < 0.015 and abs(normal.std() - 1) < 0.01


def test_unsuitable_arguments_are_refused() -> None:
    noise = Noise([0, 1])
    for p in (-0.1, 1.0, float("nan")):
        with pytest.raises(ConfigError, match="dropout rate"):
            noise.keep((3,), p)
    with pytest.raises(ConfigError, match="2 members"):
        noise.dropout(torch.rand(3, 4, 5), 0.5)
