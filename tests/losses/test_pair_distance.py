"""The sum over all pairs, whose gradient is written by hand, against matrices over all pairs and autograd."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.losses import kernels
from graphstill.losses.kernels import PAIR_KERNELS, for_kernel, pair_distance

M, N = 2, 12
KERNELS = pytest.mark.parametrize("kernel", PAIR_KERNELS)


def matrix(kernel: str, x: Tensor) -> Tensor:
    """The kernel between all rows of [M, N, D] from `for_kernel`, as it is defined."""
    products = x @ x.mT
    if kernel in ("cosine", "poly", "sigmoid"):
        return {"cosine": products, "poly": products.square(), "sigmoid": products.tanh()}[kernel]
    difference = x[:, :, None] - x[:, None]
    squared = difference.square().sum(-1)
    if kernel == "rbf":
        return (-squared / 2).exp()
    apart = squared > 0
    distance = torch.where(apart, squared, 1.0).sqrt() * apart
    return distance if kernel == "l2" else (-distance).exp()


def features(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    target, student = torch.randn(1, N, 3, dtype=dtype), torch.randn(M, N, 4, dtype=dtype)
    student[:, 3] = student[:, 7]  # two nodes that coincide
    return target, student.requires_grad_()


@KERNELS
@pytest.mark.parametrize("block", [1, 40, 2**17])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("drawn", [False, True])
def test_equals_matrices_over_all_pairs(
    kernel: kernels.PairKernel,
    block: int,
    dtype: torch.dtype,
    tolerance: float,
    drawn: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernels, "BLOCK", block)
    target, student = features(dtype)
    rows = torch.tensor([[0, 3, 7], [5, 1, 11]]) if drawn else None
    t, s = for_kernel(kernel, target), for_kernel(kernel, student)
    squared = (matrix(kernel, t) - matrix(kernel, s)).square()
    taken = squared if rows is None else torch.stack([q[r] for q, r in zip(squared, rows, strict=True)])
    weights = torch.tensor([1.0, 3.0], dtype=dtype)
    out, expected = pair_distance(kernel, t, s, rows), taken.sum((1, 2))
    assert torch.allclose(out, expected, rtol=tolerance, atol=tolerance)
    mine, reference = (torch.autograd.grad(x @ weights, student, retain_graph=True)[0] for x in (out, expected))
    assert torch.allclose(mine, reference, atol=tolerance * float(reference.abs().max()) * 10)


@KERNELS
def test_gradients_by_finite_differences(kernel: kernels.PairKernel) -> None:
    torch.manual_seed(1)
    target, student = torch.randn(1, 5, 3, dtype=torch.float64), torch.randn(M, 5, 4, dtype=torch.float64)
    rows = torch.tensor([[0, 2], [4, 1]])
    t = for_kernel(kernel, target)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: pair_distance(kernel, t, for_kernel(kernel, s), rows), (student,))


def test_no_gradient_is_made_where_none_is_asked_for() -> None:
    target, student = features()
    assert not pair_distance("rbf", target, student.detach()).requires_grad
