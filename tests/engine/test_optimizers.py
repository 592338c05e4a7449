"""Optimisers over members against torch's own, and the steps of the learning rate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphstill.engine import Training, train
from graphstill.engine.optim import MemberAdam, MemberOptimizer, MemberSGD, make_optimizer
from graphstill.errors import ConfigError
from graphstill.nn import GCN
from tests.tiny import tiny_task


def _descend(optimizer: MemberOptimizer | torch.optim.Optimizer, weight: nn.Parameter, steps: int = 5) -> None:
    for _ in range(steps):
        weight.grad = weight.detach().sin() + 1
        optimizer.step()


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_is_that_of_torch(nesterov: bool) -> None:
    ours, theirs = (nn.Parameter(torch.arange(6.0).view(2, 3)) for _ in range(2))
    _descend(MemberSGD([("w", ours)], 0.1, 0.01, 2, 1, 0.8, nesterov), ours)
    _descend(torch.optim.SGD([theirs], 0.1, 0.8, weight_decay=0.01, nesterov=nesterov), theirs)
    torch.testing.assert_close(ours, theirs)


def test_sgd_of_some_members_leaves_the_others() -> None:
    ours, alone = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(1, 3))
    some = MemberSGD([("w", ours)], 0.1, 0.01, 2, 1)
    for _ in range(3):
        ours.grad = ours.detach().sin() + 1
        some.step(torch.tensor([1]))
    _descend(MemberSGD([("w", alone)], 0.1, 0.01, 1, 1), alone, 3)
    assert torch.equal(ours[0], torch.ones(3)) and torch.equal(ours[1], alone[0])


def test_sgd_takes_a_rate_for_each_run() -> None:
    both, alone = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(1, 3))
    _descend(MemberSGD([("w", both)], [0.1, 0.3], [0.0, 0.01], 2, 1), both)
    _descend(MemberSGD([("w", alone)], 0.3, 0.01, 1, 1), alone)
    torch.testing.assert_close(both[1], alone[0])


@pytest.mark.parametrize("kind", [MemberAdam, MemberSGD])
def test_factor_scales_the_rate(kind: type[MemberAdam | MemberSGD]) -> None:
    ours, theirs = (nn.Parameter(torch.ones(2, 3)) for _ in range(2))
    slow = kind([("w", ours)], 0.1, 0.0, 2, 1)
    slow.factor = 0.5
    _descend(slow, ours)
    _descend(kind([("w", theirs)], 0.05, 0.0, 2, 1), theirs)
    torch.testing.assert_close(ours, theirs)


def test_steps_of_the_rate() -> None:
    training = Training(lr_steps=(3, 5), lr_factor=0.1)
    assert [round(training.rate(epoch), 6) for epoch in range(7)] == [1, 1, 1, 0.1, 0.1, 0.01, 0.01]
    assert isinstance(make_optimizer(Training(optimizer="sgd"), [], 1, 1), MemberSGD)


def test_steps_are_taken_in_training() -> None:
    """After a step to nothing the weights stay, so that a longer run ends where a shorter one does."""
    how = {"optimizer": "sgd", "lr": 0.1, "lr_steps": (4,), "lr_factor": 1e-30, "momentum": 0.0}
    runs = [train(GCN(hidden=4), tiny_task(), training=Training(epochs=n, **how)) for n in (4, 9)]  # type: ignore[arg-type]
    states = [run.cohort.state_dict() for run in runs]
    for name in states[0]:
        torch.testing.assert_close(states[0][name], states[1][name])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"optimizer": "lion"}, "optimizer"),
        ({"momentum": 1.0}, "momentum"),
        ({"optimizer": "sgd", "nesterov": True, "momentum": 0.0}, "nesterov"),
        ({"lr_steps": (5, 3)}, "lr_steps"),
        ({"lr_steps": (0,)}, "lr_steps"),
        ({"lr_factor": 0.0}, "lr_factor"),
    ],
)
def test_refusals(settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Training(**settings)  # type: ignore[arg-type]


def test_idle_settings_are_not_written() -> None:
    """Recipes and checkpoints of Adam are what they were before there was a choice."""
    assert not {"optimizer", "momentum", "nesterov", "lr_steps", "lr_factor"} & Training().config().keys()
    sgd = Training(optimizer="sgd", lr_steps=(2,))
    assert Training(**sgd.config()) == sgd
