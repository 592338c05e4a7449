"""DML and KDCL: hand examples, who is a target of whom, where gradients go."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.losses import cross_entropy, min_logit, softmax_kl
from graphstill.methods import DML, CoDistillation, KDCLMinLogit, KDCLNaive
from tests.methods.online import online_terms

HAND = torch.tensor([[[0.0, 0]], [[2, 0]], [[0, 2]]], dtype=torch.float64)
Y = torch.tensor([0])


def random_logits(members: int, nodes: int = 5, classes: int = 3) -> torch.Tensor:
    return torch.randn(members, nodes, classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_dml_hand_example() -> None:
    """K = 3, T = 1: both peers of student 1 are 0.3278 away, though their mean logits are its own."""
    assert online_terms(DML(), HAND, 3, Y)["mutual"][0].item() == pytest.approx(0.3278, abs=1e-4)
    assert online_terms(CoDistillation(temperature=1.0), HAND, 3, Y)["soft"][0].item() == pytest.approx(0, abs=1e-12)


def test_two_peers_of_dml_are_codistillation() -> None:
    logits, y = random_logits(4), torch.tensor([0, 1, 2, 0, 1])
    mutual = online_terms(DML(temperature=2.0), logits, 2, y)["mutual"]
    torch.testing.assert_close(mutual, online_terms(CoDistillation(temperature=2.0), logits, 2, y)["soft"])
    torch.testing.assert_close(mutual[0], softmax_kl(logits[1:2], logits[:1], 2.0)[0])


@pytest.mark.parametrize(("detach", "moved"), [(True, [True, False, False]), (False, [True, True, True])])
def test_dml_moves_the_targets_only_where_they_are_not_detached(detach: bool, moved: list[bool]) -> None:
    logits = HAND.clone().requires_grad_()
    online_terms(DML(detach=detach), logits, 3, Y)["mutual"][0].backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum((1, 2)) > 0).tolist() == moved


def test_dml_released() -> None:
    assert DML.released() == DML(temperature=3.0, nodes="train", detach=False)
    logits = random_logits(3)
    attached, fixed = (
        online_terms(DML(temperature=3.0, detach=d), logits, 3, torch.zeros(5, dtype=torch.int64))["mutual"]
        for d in (True, False)
    )
    torch.testing.assert_close(attached, fixed)


def test_kdcl_naive_follows_the_best_peer_of_its_own_run() -> None:
    logits, y = random_logits(6), torch.tensor([0, 1, 2, 0, 1])
    losses = cross_entropy(logits, y).view(2, 3)
    best = losses.argmin(1)
    soft = online_terms(KDCLNaive(), logits, 3, y)["soft"].view(2, 3)
    for run in range(2):
        target = logits.view(2, 3, 5, 3)[run, best[run]][None]
        torch.testing.assert_close(soft[run], softmax_kl(target, logits.view(2, 3, 5, 3)[run], 3.0))
        assert soft[run, best[run]] == 0


def test_min_logit_by_hand_and_against_a_loop() -> None:
    logits, y = random_logits(6).view(2, 3, 5, 3), torch.tensor([0, 1, 2, 0, 1])
    target = min_logit(logits, y)
    for run in range(2):
        for n in range(5):
            for c in range(3):
                smallest = min(float(logits[run, k, n, c] - logits[run, k, n, y[n]]) for k in range(3))
                assert (target[run, :, n, c] == smallest).all()
    # Its loss is at most that of any peer.
    assert (cross_entropy(target[:, 0], y) <= cross_entropy(logits.flatten(0, 1), y).view(2, 3).amin(1)).all()


def test_min_logit_of_labels_is_that_of_two_classes() -> None:
    """A label with logit z is a problem of the classes (0, z)."""
    z = random_logits(3, nodes=4, classes=1)
    y = torch.tensor([[1.0], [0.0], [1.0], [0.0]], dtype=torch.float64)
    two = torch.cat([torch.zeros_like(z), z], -1)
    labels = online_terms(KDCLMinLogit(temperature=2.0), z, 3, y)["soft"]
    classes = online_terms(KDCLMinLogit(temperature=2.0), two, 3, y[:, 0].long())["soft"]
    torch.testing.assert_close(labels, classes)


def test_min_logit_says_nothing_about_unknown_labels() -> None:
    z = random_logits(3, nodes=2, classes=1).requires_grad_()
    y = torch.tensor([[1.0], [float("nan")]], dtype=torch.float64)
    online_terms(KDCLMinLogit(), z, 3, y)["soft"].sum().backward()
    assert z.grad is not None
    assert z.grad[:, 1].abs().max() < 1e-12 < z.grad[:, 0].abs().max()


@pytest.mark.parametrize("method", [DML, KDCLNaive, KDCLMinLogit])
def test_refuses(method: type[DML]) -> None:
    with pytest.raises(ConfigError, match="temperature is 0"):
        method(temperature=0)
