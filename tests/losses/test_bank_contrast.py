"""InfoNCE against a whole bank: closed forms, the dense definition, blocks, gradients."""

from __future__ import annotations

import math
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses import bank_contrast, unit

KINDS, MEMBERS, SAMPLES, ROWS, WIDTH, CLASSES = 2, 3, 5, 37, 4, 3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def example(length: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Anchors, positives, bank, classes of the samples and of the rows, some of which nobody has visited."""
    anchor, positive = (unit(normal(KINDS, MEMBERS, SAMPLES, WIDTH, seed=i)) for i in (0, 1))
    g = torch.Generator().manual_seed(2)
    classes = torch.randint(CLASSES, (MEMBERS, SAMPLES), generator=g)
    rows = torch.randint(-1, CLASSES, (MEMBERS, ROWS), generator=g)
    return length * anchor, positive, unit(normal(MEMBERS, ROWS, WIDTH, seed=3)), classes, rows


def dense(anchor: Tensor, positive: Tensor, bank: Tensor, classes: Tensor, rows: Tensor, temperature: float) -> Tensor:
    scores = anchor @ bank.transpose(1, 2) / temperature
    out = (classes[:, :, None] == rows[:, None]) | (rows < 0)[:, None]
    near = (anchor * positive).sum(-1, keepdim=True) / temperature
    far = scores.masked_fill(out, -torch.inf)
    return -torch.cat([near, far], -1).log_softmax(-1)[..., 0].mean(-1)


@pytest.mark.parametrize("temperature", [0.07, 0.002, 1.0])
@pytest.mark.parametrize(("block", "anchors"), [(10, 512), (40, 4), (2**18, 512)])
def test_equals_the_dense_definition(
    temperature: float, block: int, anchors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = sys.modules["graphstill.losses.bank_contrast"]
    monkeypatch.setattr(module, "BLOCK", block)
    monkeypatch.setattr(module, "ANCHORS", anchors)
    anchor, *others = example()
    one, two = (anchor.clone().requires_grad_() for _ in range(2))
    value, expected = bank_contrast(one, *others, temperature), dense(two, *others, temperature)
    torch.testing.assert_close(value, expected)
    weights = normal(KINDS, MEMBERS, seed=4)
    (value * weights).sum().backward(), (expected * weights).sum().backward()
    torch.testing.assert_close(one.grad, two.grad)
    single = [x.float() if x.is_floating_point() else x for x in others]
    torch.testing.assert_close(bank_contrast(anchor.float(), *single, temperature), value.float(), rtol=1e-5, atol=1e-5)


def test_gradient_by_differences() -> None:
    anchor, *others = example()
    assert torch.autograd.gradcheck(lambda a: bank_contrast(a, *others, 0.3), anchor.requires_grad_())


def test_only_anchors_have_a_gradient() -> None:
    anchor, positive, bank, classes, rows = example()
    inputs = [x.requires_grad_() for x in (anchor, positive, bank)]
    bank_contrast(anchor, positive, bank, classes, rows, 0.07).sum().backward()
    assert [x.grad is None for x in inputs] == [False, True, True]


def test_closed_forms() -> None:
    """Aligned with the positive and orthogonal to K others; all K + 1 scores equal."""
    axes, count, tau = torch.eye(WIDTH, dtype=torch.float64), 16384, 0.07
    anchor, positive = axes[0].view(1, 1, 1, -1), axes[0].view(1, 1, 1, -1)
    own, others = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, count, dtype=torch.int64)
    orthogonal, same = (axes[i].expand(1, count, -1) for i in (1, 0))
    expected = math.log(1 + count * math.exp(-1 / tau))
    value = bank_contrast(anchor, positive, orthogonal, own, others, tau)
    assert value.item() == pytest.approx(expected, rel=1e-9)
    value = bank_contrast(anchor, positive, same, own, others, tau)
    assert value.item() == pytest.approx(math.log(count + 1), rel=1e-9) == pytest.approx(9.704, abs=1e-3)


def test_rows_of_the_same_class_and_rows_not_yet_visited_play_no_part() -> None:
    anchor, positive, bank, classes, rows = example()
    classes = classes[:, :1].expand(-1, SAMPLES)
    before = bank_contrast(anchor, positive, bank, classes, rows, 0.07)
    silent = (rows == classes[:, :1]) | (rows < 0)
    assert silent.any() and not silent.all()
    changed = torch.where(silent.unsqueeze(-1), 5 * anchor[0, :, :1], bank)
    assert torch.equal(bank_contrast(anchor, positive, changed, classes, rows, 0.07), before)
    nobody = torch.full_like(rows, -1)
    assert bank_contrast(anchor, positive, bank, classes, nobody, 0.07).abs().max() == 0
    alike = classes[:, :1].expand(-1, ROWS)
    assert bank_contrast(anchor, positive, bank, classes, alike, 0.07).abs().max() == 0


def test_order_of_the_rows_changes_nothing() -> None:
    anchor, positive, bank, classes, rows = example()
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(0))
    moved = bank_contrast(anchor, positive, bank[:, order], classes, rows[:, order], 0.07)
    torch.testing.assert_close(moved, bank_contrast(anchor, positive, bank, classes, rows, 0.07))


def test_many_classes_are_told_apart() -> None:
    """Numbers of classes are compared exactly in single precision."""
    n = 2**24
    anchor = F.normalize(torch.ones(1, 1, 1, 2), dim=-1)
    bank = anchor[0].expand(1, 2, 2)
    for own, count in ((n - 1, 1), (n - 2, 1), (n - 3, 2)):
        rows = torch.tensor([[n - 1, n - 2]])
        value = bank_contrast(anchor, anchor, bank, torch.tensor([[own]]), rows, 1.0)
        assert value.item() == pytest.approx(math.log(count + 1))
