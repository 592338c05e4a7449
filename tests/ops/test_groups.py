"""Sums, means and values of groups, beside a dense incidence matrix."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, Groups

OF_ROW = torch.tensor([2, 0, 2, 3, 0, 2])
DENSE = torch.nn.functional.one_hot(OF_ROW, 5).T.double()  # groups 1 and 4 have no row


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 6), (3, 6, 4)])
def test_as_a_dense_product_with_its_gradient(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    groups, x = Groups(OF_ROW, 5), torch.randn(shape, dtype=dtype, requires_grad=True)
    dense = DENSE.to(dtype)
    torch.testing.assert_close(groups.sizes, torch.tensor([2, 0, 3, 1, 0], dtype=torch.int32))

    def product(matrix: Tensor, values: Tensor) -> Tensor:
        return torch.einsum("gn,mn...->mg...", matrix, values)

    mean = dense / dense.sum(1, keepdim=True).clamp(min=1)
    for found, expected in ((groups.sum(x), product(dense, x)), (groups.mean(x), product(mean, x))):
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(*(torch.autograd.grad(y.square().sum(), x)[0] for y in (found, expected)))
    values = torch.randn(3, 5, *shape[2:], dtype=dtype, requires_grad=True)
    found, expected = groups.spread(values), product(dense.T, values)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y.square().sum(), values)[0] for y in (found, expected)))


def test_contiguous_groups_and_the_mean_of_means() -> None:
    groups = Groups.from_ptr(torch.tensor([0, 2, 2, 5]), 5)
    assert groups.of_row.tolist() == [0, 0, 2, 2, 2] and groups.count == 3
    values = torch.tensor([[1.0, 3, 0, 0, 6]])
    assert groups.mean(values).tolist() == [[2, 0, 2]] and groups.mean_of_means(values).tolist() == [2]
    nobody = Groups.from_ptr(torch.tensor([0, 0]), 0)
    assert nobody.mean_of_means(torch.zeros(2, 0)).tolist() == [0, 0]


def test_nodes_and_edges_of_a_batch() -> None:
    one = Adjacency.from_edge_index(torch.tensor([[0, 1, 2], [1, 0, 1]]), 3)
    two = Adjacency.from_edge_index(torch.tensor([[1], [0]]), 2)
    batch = Adjacency.disjoint([one, two])
    assert batch.groups.of_row.tolist() == [0, 0, 0, 1, 1]
    assert batch.edge_groups.sizes.tolist() == [3, 1]
    assert torch.equal(batch.edge_groups.of_row, batch.groups.of_row[batch.target.long()])
    assert one.groups.sizes.tolist() == one.edge_groups.sizes.tolist() == [3]


@pytest.mark.parametrize("ptr", [torch.tensor([0.0, 1]), torch.zeros(2, 2).long(), torch.zeros(0).long()])
def test_what_is_no_pointer_is_told(ptr: Tensor) -> None:
    with pytest.raises(ConfigError, match=r"Groups.from_ptr. Pass integers \[groups \+ 1\]"):
        Groups.from_ptr(ptr, 1)
