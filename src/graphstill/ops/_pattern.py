"""Products of a sparse matrix, of which only the places of the stored values are fixed, with each member's features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphstill.ops import _csr

# Stored values of all members together up to which they go in one call: more are streamed for longer than a call takes.
TOGETHER = 2**22
# What embedding bags on a CPU are compiled for.
EMBEDDED = (torch.float32, torch.bfloat16)


class Pattern:
    """The rows and columns of the stored values of a sparse matrix [rows, columns], in CSR.

    On a CPU in float32 or bfloat16 (summed in float32) a row of the result is summed as an embedding bag: the same sums
    as those of torch's sparse product, by a kernel that is compiled for the width when it is first met, and 2 to 3
    times as fast from 32 columns on (Cora to 170k edges; below, alike). Anything else goes through torch's sparse
    product.
    """

    def __init__(self, ptr: Tensor, index: Tensor, shape: tuple[int, int]) -> None:
        self.ptr, self.index, self.shape = ptr, index, shape
        self._repeated: tuple[Tensor, Tensor] | None = None
        self._values: tuple[Tensor, Tensor] | None = None

    def product(self, values: Tensor, x: Tensor, scale: float = 1.0, constant: bool = False) -> Tensor:
        """scale * matrix @ x[m] for every member, without autograd.

        Shapes: values [stored] (shared by the members) or [M or 1, stored], x [M or 1, columns, D] -> [M, rows, D].
        `constant`: these values never change, so that what is made of them may be kept.
        """
        members = max(len(x), len(values) if values.dim() == 2 else 1)
        rows, width = self.shape[0], x.shape[-1]
        if not self.index.numel() or not rows or not width:
            return x.new_zeros(members, rows, width)
        if x.device.type != "cpu" or x.dtype not in EMBEDDED:
            return self._by_torch(values, x, members, scale)
        # Without a gradient on its features the kernel prepares nothing for a backward pass.
        x = x.detach()
        if members == 1:
            return _sums(x[0], self.index, self.ptr, _scaled(values.view(-1), scale)).unsqueeze_(0)
        if len(x) == members and members * self.index.numel() <= TOGETHER:
            ptr, index = self._of_members(members)
            repeated = self._constant(values, members) if constant else values.expand(members, -1).reshape(-1)
            # In place: autograd lets nobody write into what a function returns as a view.
            return _sums(x.flatten(0, 1), index, ptr, _scaled(repeated, scale)).resize_(members, rows, width)
        own = [_scaled(v, scale) for v in values.view(-1, values.shape[-1])]
        return torch.stack([_sums(x[m % len(x)], self.index, self.ptr, own[m % len(own)]) for m in range(members)])

    def matrix(self, values: Tensor) -> Tensor:
        """The sparse tensor with these values [stored], which shares their memory."""
        return _csr.matrix(self.ptr, self.index, values, self.shape)

    def _of_members(self, members: int) -> tuple[Tensor, Tensor]:
        """Pointers and columns of `members` copies one after another; of the newest number of members, kept."""
        if self._repeated is None or len(self._repeated[0]) != members * self.shape[0] + 1:
            shift = torch.arange(members, dtype=torch.int32, device=self.ptr.device)[:, None]
            starts = (self.ptr[:-1] + shift * self.index.numel()).flatten()
            index = (self.index + shift * self.shape[1]).flatten()
            self._repeated = (torch.cat([starts, starts.new_tensor([members * self.index.numel()])]), index)
            self._values = None
        return self._repeated

    def _constant(self, values: Tensor, members: int) -> Tensor:
        """Values that never change, once for each member; the newest are kept."""
        if self._values is None or self._values[0] is not values:
            self._values = (values, values.repeat(members))
        return self._values[1]

    def _by_torch(self, values: Tensor, x: Tensor, members: int, scale: float) -> Tensor:
        """One member after another on a CPU (each fits the cache), side by side on GPU where they share the values."""
        if x.is_cuda and members > 1 and values.dim() == 1:
            wide = x.transpose(0, 1).flatten(1)
            out = _csr.multiply(self.matrix(values), wide, x.new_empty(self.shape[0], wide.shape[1]), scale)
            return out.view(self.shape[0], members, -1).transpose(0, 1).contiguous()
        x, values = x.contiguous(), values.view(-1, values.shape[-1])
        out = x.new_empty(members, self.shape[0], x.shape[-1])
        for m in range(members):
            _csr.multiply(self.matrix(values[m % len(values)]), x[m % len(x)], out[m], scale)
        return out


def _scaled(values: Tensor, scale: float) -> Tensor:
    return values if scale == 1.0 else values * scale


def _sums(x: Tensor, index: Tensor, ptr: Tensor, values: Tensor) -> Tensor:
    """Row i is the sum of values[e] * x[index[e]] over e in ptr[i]:ptr[i + 1]."""
    found: Any = torch.embedding_bag(x, index, ptr, False, 0, False, values.contiguous(), True)
    out: Tensor = found[0]
    return out
