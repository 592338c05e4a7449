"""Input features that are mostly zero (bags of words), kept as such."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.ops import _csr
from graphstill.ops._pattern import TOGETHER, Pattern
from graphstill.ops.noise import Noise, masked, quantised
from graphstill.ops.precision import lowered

# Dropout rates whose scaled values are kept: training at one, and evaluation.
KEPT_SCALES = 3


class SparseFeatures:
    """A constant matrix [N, F] in CSR, with its transpose (cached).

    Multiplying it costs time in its non-zeros only, and so does dropout: dropping stored values has exactly the
    distribution of dropout on the dense matrix, since zeros stay zero. No gradient flows to the features.

    Attributes:
        ptr: int32 [N + 1]; indices: int32 [nnz], feature numbers; values: [nnz]; shape: (N, F).
    """

    def __init__(self, ptr: Tensor, indices: Tensor, values: Tensor, shape: tuple[int, int]) -> None:
        """Takes arrays as they are; `from_csr` checks them."""
        self.ptr, self.indices, self.values = ptr, indices, values
        self.shape = (int(shape[0]), int(shape[1]))
        self._by_scale: dict[tuple[float, torch.dtype], tuple[Tensor, Tensor]] = {}

    @classmethod
    def from_dense(cls, x: Tensor) -> SparseFeatures:
        """From a matrix [N, F]."""
        if x.dim() != 2:
            raise DataError(
                f"features have shape {list(x.shape)}. Where: SparseFeatures.from_dense. Pass [nodes, features]."
            )
        rows, columns = x.nonzero(as_tuple=True)
        return cls(_csr.pointers(rows, x.shape[0]), columns.int(), x[rows, columns].detach(), (x.shape[0], x.shape[1]))

    @classmethod
    def from_scipy(cls, matrix: Any) -> SparseFeatures:
        """From a scipy sparse matrix or array of any format; integer values become float32."""
        csr = matrix.tocsr()
        values = torch.as_tensor(csr.data)
        values = values if values.is_floating_point() else values.float()
        return cls.from_csr(torch.as_tensor(csr.indptr), torch.as_tensor(csr.indices), values, csr.shape)

    @classmethod
    def from_csr(cls, ptr: Tensor, indices: Tensor, values: Tensor, shape: tuple[int, int]) -> SparseFeatures:
        """From row pointers [N + 1], column numbers [nnz] and values [nnz].

        Raises:
            DataError: the three arrays and the shape contradict each other.
        """
        count = indices.numel()
        _csr.check_size(count, "non-zeros")
        ordered = (
            ptr.numel() == shape[0] + 1 and int(ptr[0]) == 0 and int(ptr[-1]) == count and bool((ptr.diff() >= 0).all())
        )
        inside = count == 0 or (int(indices.min()) >= 0 and int(indices.max()) < shape[1])
        if not ordered or not inside or values.shape != indices.shape:
            raise DataError(
                f"not a CSR matrix of shape {list(shape)}: {ptr.numel()} row pointers, {count} column numbers, "
                f"{values.numel()} values. Where: SparseFeatures.from_csr. Check the pointers (nodes + 1, from 0 "
                "to the number of values, rising) and the column numbers (0 to features - 1)."
            )
        return cls(ptr.int().contiguous(), indices.int().contiguous(), values.detach().contiguous(), shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the stored values and of their feature numbers."""
        return int(self.values.nbytes + self.indices.nbytes)

    @property
    def nnz(self) -> int:
        return self.values.numel()

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @property
    def device(self) -> torch.device:
        return self.values.device

    def __repr__(self) -> str:
        return f"SparseFeatures(shape={self.shape}, nnz={self.nnz}, dtype={self.dtype}, device={str(self.device)!r})"

    def __len__(self) -> int:
        return self.shape[0]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles without what is cached: torch can do neither with sparse CSR tensors."""
        return SparseFeatures, (self.ptr, self.indices, self.values, self.shape)

    def to_dense(self) -> Tensor:
        """[N, F]."""
        rows = _csr.expand_rows(self.ptr, self.nnz)
        dense = torch.zeros(self.shape, dtype=self.dtype, device=self.device)
        return dense.index_put_((rows, self.indices), self.values, accumulate=True)

    def rows(self, index: Tensor) -> SparseFeatures:
        """The rows with these numbers, in this order (repeats allowed), or those where a boolean mask is True."""
        if index.dtype == torch.bool:
            index = index.nonzero().squeeze(1)
        counts = self.ptr.diff()[index]
        ptr = torch.zeros(index.numel() + 1, dtype=torch.int32, device=self.device)
        torch.cumsum(counts, 0, out=ptr[1:])
        shift = self.ptr[:-1][index] - ptr[:-1]
        total = int(ptr[-1])
        taken = torch.arange(total, device=self.device) + torch.repeat_interleave(shift, counts, output_size=total)
        return SparseFeatures(ptr, self.indices[taken], self.values[taken], (index.numel(), self.shape[1]))

    def row_normalized(self) -> SparseFeatures:
        """Each row divided by the sum of its absolute values, as Kipf and Welling do; empty rows stay empty."""
        rows = _csr.expand_rows(self.ptr, self.nnz)
        total = torch.zeros(self.shape[0], dtype=self.dtype, device=self.device).index_add_(0, rows, self.values.abs())
        total = torch.where(total == 0, 1.0, total)
        return SparseFeatures(self.ptr, self.indices, self.values / total[rows], self.shape)

    def to(self, target: torch.device | str | torch.dtype) -> SparseFeatures:
        """On another device, or in another dtype; itself where nothing changes."""
        values = self.values.to(target)
        if values is self.values:
            return self
        return SparseFeatures(self.ptr.to(values.device), self.indices.to(values.device), values, self.shape)

    @cached_property
    def _pattern(self) -> Pattern:
        return Pattern(self.ptr, self.indices, self.shape)

    @cached_property
    def _transposed(self) -> tuple[Pattern, Tensor]:
        """The transpose, and which of the values each of its stored values is."""
        ptr, rows, order = _csr.transpose(self.ptr, self.indices, self.shape[1])
        return Pattern(ptr, rows, (self.shape[1], self.shape[0])), order.int()

    def _scaled(self, scale: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The values times a number, and those of the transpose; kept for a few numbers, one a dropout rate."""
        key = (scale, dtype)
        if key not in self._by_scale:
            while len(self._by_scale) >= KEPT_SCALES:
                self._by_scale.pop(next(iter(self._by_scale)))
            values = (self.values if scale == 1.0 else self.values * scale).to(dtype)
            self._by_scale[key] = (values, values[self._transposed[1]])
        return self._by_scale[key]

    def matmul(self, weight: Tensor, noise: Noise | None = None, p: float = 0.0) -> Tensor:
        """These features times each member's weight: [M, F, H] -> [M, N, H], differentiable in the weight.

        With `noise` and p > 0 the stored values go through dropout first, drawn independently for each member.

        Raises:
            ConfigError: shapes, dtypes or numbers of members that do not fit.
        """
        if weight.dim() != 3 or weight.shape[1] != self.shape[1] or weight.dtype != self.dtype:
            raise ConfigError(
                f"weight is {weight.dtype} {list(weight.shape)}, the features are {self.dtype} {list(self.shape)}. "
                "Where: SparseFeatures.matmul. Pass [members, features, width] of the same dtype."
            )
        weight = lowered(weight)
        threshold = quantised(p) if noise is not None else 0
        if noise is None or threshold == 0:
            return self._product(weight, None, 1.0)
        if noise.members != weight.shape[0]:
            raise ConfigError(
                f"{noise.members} members of noise, {weight.shape[0]} of weights. Where: SparseFeatures.matmul. "
                "Make the noise with one seed a member."
            )
        return self._product(weight, noise._kept((self.nnz,), threshold), 256 / (256 - threshold))

    def _product(self, weight: Tensor, kept: Tensor | None, scale: float) -> Tensor:
        out: Tensor = _Product.apply(self, weight, kept, scale)
        return out


class _Product(torch.autograd.Function):
    """Features, of which each member keeps some (uint8 [M, nnz]; None: all), times weight [M, F, H].

    All members at once where their stored values fit the caches; else one after another, each with its own values only.
    """

    @staticmethod
    def forward(ctx: Any, features: SparseFeatures, weight: Tensor, kept: Tensor | None, scale: float) -> Tensor:
        ctx.features, ctx.kept, ctx.scale = features, kept, scale
        pattern, values = features._pattern, features._scaled(scale, weight.dtype)[0]
        if kept is None:
            return pattern.product(values, weight, constant=True)
        if kept.numel() > TOGETHER:
            own = (masked(values, kept[m]) for m in range(len(weight)))
            return torch.cat([pattern.product(v, weight[m : m + 1]) for m, v in enumerate(own)])
        dropped = masked(values, kept)
        ctx.dropped = dropped
        return pattern.product(dropped, weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        features, kept, grad = ctx.features, ctx.kept, grads[0].contiguous()
        transposed, order = features._transposed
        if kept is None:
            out = transposed.product(features._scaled(ctx.scale, grad.dtype)[1], grad, constant=True)
        elif kept.numel() > TOGETHER:
            values = features._scaled(ctx.scale, grad.dtype)[0]
            # Picking floats is twice as fast as picking bytes and multiplying them again.
            own = (masked(values, kept[m]).index_select(0, order) for m in range(len(grad)))
            out = torch.cat([transposed.product(v, grad[m : m + 1]) for m, v in enumerate(own)])
        else:
            out = transposed.product(ctx.dropped.index_select(1, order), grad)
        return None, out, None, None
