"""KRD: reliability, the fitted curve, sampled edges, and a teacher that can be asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from graphstill.engine import Run, Training, distill, train
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import agreement_by_bin, entropy, fit_exponent, neighbour_kl, softmax_kl
from graphstill.methods import KRD
from graphstill.nn import GCN, MLP
from tests.methods.stage import Stage, set_stage
from tests.tiny import Killed, kill_at, tiny_task

SHORT = Training(epochs=5, checkpoint_seconds=0.0)


@pytest.fixture(scope="module")
def teacher() -> Run:
    return train(GCN(hidden=8), tiny_task(), seeds=2, training=Training(epochs=20))


def sampling(rho: float | None, seeds: list[int]) -> Stage:
    """A stage in an epoch in which edges are sampled, ρ the same at all nodes where it is given."""
    stage = set_stage(KRD(start=1), tiny_task(), seeds)
    stage.put(parts=stage.active[0].parts)
    if rho is not None:
        stage.step.parts.options["rho"] = torch.full((1, 120), rho)
    return stage


@pytest.mark.parametrize("exponent", [0.03, 0.5, 1.0, 7.0])
def test_fit_recovers_the_exponent(exponent: float) -> None:
    x = (torch.arange(50, dtype=torch.float64) + 0.5) / 50
    y = torch.stack([1 - x**exponent, 1 - x**2])
    torch.testing.assert_close(
        fit_exponent(x, y), torch.tensor([exponent, 2.0], dtype=torch.float64), rtol=2e-4, atol=0
    )


def test_histogram_against_numpy() -> None:
    g = torch.Generator().manual_seed(0)
    value, agreement = torch.rand(1, 500, generator=g), (torch.rand(2, 500, generator=g) < 0.6).float()
    value[0, 0] = 1.0
    rate = agreement_by_bin(agreement, value, 10)
    for member in range(2):
        agreed = np.histogram(value[0, agreement[member] > 0].numpy(), 10, (0, 1))[0]
        every = np.histogram(value[0].numpy(), 10, (0, 1))[0]
        np.testing.assert_allclose(rate[member].numpy(), agreed / every, rtol=1e-6)
    assert agreement_by_bin(agreement, torch.zeros(1, 500), 3)[:, 1:].abs().sum() == 0


def test_entropy() -> None:
    z = torch.tensor([[0.3, -1.0, 2.0]])
    torch.testing.assert_close(entropy(z), torch.distributions.Categorical(logits=z).entropy())
    torch.testing.assert_close(entropy(z, True), torch.distributions.Bernoulli(logits=z).entropy().sum(-1))


def test_unreliable_neighbours_leave_glnn() -> None:
    """ρ = 1 everywhere: no neighbour is kept, each node learns its own target."""
    stage = sampling(1.0, [0, 1])
    assert stage.t is not None
    torch.testing.assert_close(stage.terms()["soft"], softmax_kl(stage.t.logits, stage.s.logits))


def test_reliable_neighbours_are_all_kept_and_before_the_start_too() -> None:
    stage = sampling(0.0, [0, 1])
    assert stage.t is not None
    everything = neighbour_kl(stage.s.graph.with_self_loops(), stage.t.logits, stage.s.logits)
    torch.testing.assert_close(stage.terms()["soft"], everything)
    torch.testing.assert_close(set_stage(KRD(start=2), tiny_task(), [0, 1]).terms()["soft"], everything)


def test_samples_are_a_function_of_seed_and_step() -> None:
    def at(number: int, seeds: list[int]) -> torch.Tensor:
        stage = sampling(None, seeds)
        stage.move(number=number)
        stage.step.parts.state["exponent"].fill_(0.3)
        return stage.terms()["soft"]

    torch.testing.assert_close(at(5, [0, 7, 3])[1:2], at(5, [7]))
    assert not torch.allclose(at(5, [7]), at(6, [7]))


def test_reliability_is_relative_to_the_most_wavering_node() -> None:
    stage = sampling(None, [0])
    rho = stage.step.parts.options["rho"]
    assert rho.shape == (1, 120) and rho.max() == 1 and rho.min() >= 0


def test_exponent_follows_the_fit() -> None:
    stage = sampling(None, [0, 1])
    method = KRD(start=1, momentum=0.75)
    x = (torch.arange(50) + 0.5) / 50
    method.after_step(stage.s, stage.t, stage.step)
    assert stage.step.parts.state["exponent"].tolist() == [1, 1], "networks that never agree give no curve"
    stage.s.logits = torch.randn(2, 120, 3, generator=torch.Generator().manual_seed(0))
    agreement = (stage.s.logits.argmax(-1) == stage.t.logits.argmax(-1)).float()  # type: ignore[union-attr]
    rate = agreement_by_bin(agreement, stage.step.parts.options["rho"], 50)
    low, high = rate.amin(1, keepdim=True), rate.amax(1, keepdim=True)
    method.after_step(stage.s, stage.t, stage.step)
    expected = 0.75 + 0.25 * fit_exponent(x, (rate - low) / (high - low))
    torch.testing.assert_close(stage.step.parts.state["exponent"], expected)
    KRD(start=3).after_step(stage.s, stage.t, stage.step)
    torch.testing.assert_close(stage.step.parts.state["exponent"], expected)


def test_resumes_while_sampling(teacher: Run, tmp_path: Path) -> None:
    method, task = KRD(start=2), tiny_task()
    whole = distill(MLP(hidden=6), task, method=method, teacher=teacher, seeds=2, training=SHORT)
    with pytest.raises(Killed):
        distill(
            MLP(hidden=6),
            task,
            method=method,
            teacher=teacher,
            seeds=2,
            training=SHORT,
            directory=tmp_path,
            progress=kill_at(3),
        )
    again = distill(
        MLP(hidden=6), task, method=method, teacher=teacher, seeds=2, training=SHORT, directory=tmp_path, resume=True
    )
    for member in range(2):
        for key, value in whole.cohorts[0].member_state(member).items():
            assert torch.equal(again.cohorts[0].member_state(member)[key], value), key


def test_a_table_of_logits_cannot_be_asked(teacher: Run) -> None:
    batch = tiny_task().full_batch()
    logits = teacher.cohorts[0](batch.x, batch.graph).logits[0].detach()
    with pytest.raises(MethodError, match="pass the trained run or module"):
        distill(MLP(hidden=4), tiny_task(), method=KRD(), teacher=logits)
    module = teacher.cohorts[0].member(0)
    run = distill(MLP(hidden=4), tiny_task(), method=KRD(start=1), teacher=module, training=SHORT)
    assert run.members == 1


def test_inductive_and_multi_label() -> None:
    for task in (tiny_task(inductive=True), tiny_task(multi_label=True)):
        known = train(GCN(hidden=4), task, training=SHORT)
        run = distill(MLP(hidden=4), task, method=KRD(start=1), teacher=known, training=SHORT)
        assert all(np.isfinite(v) for v in run.result["validation"])


def test_released() -> None:
    assert KRD.released().bin_offset == 2.5


@pytest.mark.parametrize("wrong", [{"labels": 2}, {"temperature": 0}, {"start": 0}, {"momentum": 1.1}, {"bins": 0}])
def test_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        KRD(**wrong)  # type: ignore[arg-type]
