"""Narrow products against `torch.bmm`."""

from __future__ import annotations

import pytest
import torch

from graphstill.ops import dense


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "MANY", 1)


@pytest.mark.parametrize("columns", range(1, 18))
def test_equals_bmm(columns: int) -> None:
    torch.manual_seed(columns)
    x, weight = torch.randn(2, 11, 6, requires_grad=True), torch.randn(2, 6, columns, requires_grad=True)
    out, expected = dense.member_product(x, weight), torch.bmm(x, weight)
    assert out.is_contiguous() and torch.allclose(out, expected, atol=1e-5)
    grad = torch.randn_like(out)
    for mine, reference in zip(
        torch.autograd.grad(out, (x, weight), grad), torch.autograd.grad(expected, (x, weight), grad), strict=True
    ):
        assert mine.is_contiguous() and torch.allclose(mine, reference, atol=1e-5)


@pytest.mark.parametrize("columns", [1, 3, 7])
def test_gradients_by_finite_differences(columns: int) -> None:
    x = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 4, columns, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(dense.member_product, (x, weight))
    # The network's first layer: features without a gradient.
    assert torch.autograd.gradcheck(lambda w: dense.member_product(x.detach(), w), (weight,))


def test_few_rows_and_many_columns_go_to_blas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "MANY", 12)
    assert not dense.narrow(torch.empty(2, 11, 6), torch.empty(2, 6, 3))
    assert dense.narrow(torch.empty(2, 12, 6), torch.empty(2, 6, 3))
    assert not dense.narrow(torch.empty(2, 12, 6), torch.empty(2, 6, 16))
