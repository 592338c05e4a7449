"""Rows that belong together: the nodes of a graph, the edges of a graph, the nodes of a cluster."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import _csr
from graphstill.ops._pattern import Pattern


class Groups:
    """Which group each of N rows is in; sums and means over groups, and back, without atomic additions.

    Attributes:
        of_row: int64 [N], the group of each row.
        count: groups, G; some may have no row.

    >>> graphs = Groups.from_ptr(torch.tensor([0, 2, 3]), rows=3)
    >>> graphs.mean(torch.tensor([[[1.0], [3.0], [5.0]]])).tolist()
    [[[2.0], [5.0]]]
    """

    def __init__(self, of_row: Tensor, count: int, ptr: Tensor | None = None) -> None:
        """Of groups that are contiguous, `ptr` [G + 1] is where they begin; others are sorted."""
        self.of_row, self.count = of_row, count
        self._ptr = ptr

    @classmethod
    def from_ptr(cls, ptr: Tensor, rows: int) -> Groups:
        """Of rows ptr[g]:ptr[g + 1]; `rows` is ptr[G], given so that nobody waits for a GPU to tell.

        Raises:
            ConfigError: ptr is not a list of integers.
        """
        if ptr.dim() != 1 or ptr.is_floating_point() or not len(ptr):
            raise ConfigError(
                f"ptr is {ptr.dtype} {list(ptr.shape)}. Where: Groups.from_ptr. Pass integers [groups + 1] from 0 to "
                "the number of rows."
            )
        numbers = torch.arange(len(ptr) - 1, device=ptr.device)
        return cls(torch.repeat_interleave(numbers, ptr.diff(), output_size=rows), len(ptr) - 1, ptr.int())

    def sum(self, x: Tensor) -> Tensor:
        """[M, N] -> [M, G], or [M, N, D] -> [M, G, D], differentiable; 0 where a group has no row."""
        flat = x.dim() == 2
        out: Tensor = _Sum.apply(self, x.unsqueeze(-1) if flat else x)
        return out.squeeze(-1) if flat else out

    def mean(self, x: Tensor) -> Tensor:
        """The mean over each group's rows, shapes as in `sum`; 0 where there is none."""
        return self.sum(x) * self._share.to(x.dtype).view(-1, *[1] * (x.dim() - 2))

    def spread(self, values: Tensor) -> Tensor:
        """Each group's value at its rows: [M, G] -> [M, N], or [M, G, D] -> [M, N, D], differentiable."""
        flat = values.dim() == 2
        out: Tensor = _Spread.apply(self, values.unsqueeze(-1) if flat else values)
        return out.squeeze(-1) if flat else out

    def mean_of_means(self, values: Tensor) -> Tensor:
        """The mean over groups that have a row of the mean over their rows, [M, N] -> [M]; each group weighs the same.

        Without a row at all it is 0.
        """
        return self.mean(values).sum(-1) / (self.sizes > 0).sum().clamp(min=1)

    @cached_property
    def sizes(self) -> Tensor:
        """Rows of each group, int32 [G]."""
        return self._pattern.ptr.diff()

    @cached_property
    def _share(self) -> Tensor:
        return 1 / self.sizes.clamp(min=1).double()

    @cached_property
    def _pattern(self) -> Pattern:
        rows, shape = len(self.of_row), (self.count, len(self.of_row))
        if self._ptr is None:
            return Pattern(_csr.pointers(self.of_row, self.count), self.of_row.argsort(stable=True).int(), shape)
        return Pattern(self._ptr, torch.arange(rows, dtype=torch.int32, device=self.of_row.device), shape)

    def _add(self, x: Tensor) -> Tensor:
        return self._pattern.product(x.new_ones(len(self.of_row)), x)

    def _take(self, values: Tensor) -> Tensor:
        return values.index_select(1, self.of_row)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, groups: Groups, x: Tensor) -> Tensor:
        ctx.groups = groups
        return groups._add(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return None, ctx.groups._take(grads[0])


class _Spread(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, groups: Groups, values: Tensor) -> Tensor:
        ctx.groups = groups
        return groups._take(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        return None, ctx.groups._add(grads[0].contiguous())
