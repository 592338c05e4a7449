"""Compressed sparse rows in plain torch: what adjacency and sparse features share."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from graphstill.errors import DataError

INDEX_LIMIT = 2**31 - 1

# torch announces once per process that CSR tensors are in beta; it is spent here, so that no user reads it.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch.sparse_csr_tensor(
        torch.zeros(2, dtype=torch.int32), torch.zeros(0, dtype=torch.int32), torch.zeros(0), (1, 1)
    )


def matrix(ptr: Tensor, index: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse CSR tensor that shares memory with its parts (no checks, no copies: 2 microseconds)."""
    return torch.sparse_csr_tensor(ptr, index, values, shape, check_invariants=False)


def multiply(sparse: Tensor, dense: Tensor, out: Tensor, scale: float = 1.0) -> Tensor:
    """out = scale * sparse @ dense, written in place. Rows of `dense` and `out` may be strided, their columns not.

    `addmm` with beta=0 does not read `out`, and is up to 8 times faster than `mm`, which allocates and clears.
    """
    if sparse.values().numel() == 0 or out.numel() == 0:
        return out.zero_()
    return torch.addmm(out, sparse, dense, beta=0, alpha=scale, out=out)


def pointers(rows: Tensor, num_rows: int) -> Tensor:
    """Row pointers, int32 [num_rows + 1], of row numbers in any order."""
    ptr = torch.zeros(num_rows + 1, dtype=torch.int32, device=rows.device)
    torch.cumsum(torch.bincount(rows, minlength=num_rows), 0, out=ptr[1:])
    return ptr


def expand_rows(ptr: Tensor, count: int) -> Tensor:
    """The row number of every stored value, int32 [count]: the inverse of `pointers`."""
    rows = torch.arange(ptr.numel() - 1, dtype=torch.int32, device=ptr.device)
    return torch.repeat_interleave(rows, ptr.diff(), output_size=count)


def transpose(ptr: Tensor, index: Tensor, num_columns: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pointers, column numbers and order of the transposed matrix: its values are `values[order]`."""
    order = torch.argsort(index, stable=True)
    rows = expand_rows(ptr, index.numel())
    return pointers(index, num_columns), rows[order], order


def join(arrays: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Concatenates arrays of numbers, each shifted by the sizes before it."""
    offset, shifted = 0, []
    for array, size in zip(arrays, sizes, strict=True):
        shifted.append(array + offset)
        offset += size
    return torch.cat(shifted)


def join_pointers(pointers: Sequence[Tensor]) -> Tensor:
    tails = join([ptr[1:] for ptr in pointers], [int(ptr[-1]) for ptr in pointers])
    return torch.cat([pointers[0][:1], tails])


def check_size(count: int, what: str) -> None:
    """int32 indices are up to 15 % faster than int64; 2**31 stored values are more than any supported graph has."""
    if count > INDEX_LIMIT:
        raise DataError(f"{count} {what} do not fit int32 indices. Where: ops. Split the graph into parts below 2**31.")
