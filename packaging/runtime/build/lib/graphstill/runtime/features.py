"""Input features: a dense matrix, or the non-zeros of one that is mostly zero."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from graphstill.errors import DataError
from graphstill.runtime.jagged import Floats, Ints, Jagged, spread

Triple = tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike]


class Features:
    """Features in CSR, checked once; multiplied without ever being made dense.

    Of a scipy matrix ``m``: ``Features(m.data, m.indices, m.indptr, m.shape)``.

    Shapes:
        data: numbers ``[stored]``; indices: whole numbers ``[stored]``, their columns; indptr: whole numbers
        ``[nodes + 1]``, the row i holds ``indptr[i]:indptr[i + 1]``; shape: ``(nodes, features)``.

    Raises:
        DataError: the arrays contradict each other or the shape, or a value is NaN or infinite.
    """

    def __init__(self, data: npt.ArrayLike, indices: npt.ArrayLike, indptr: npt.ArrayLike, shape: tuple[int, int]):
        self.shape = (int(shape[0]), int(shape[1]))
        self.data, self.indices, self.indptr = _numbers(data), _whole(indices), _whole(indptr)
        count, ptr = len(self.data), self.indptr
        rising = len(ptr) == self.shape[0] + 1 and ptr[0] == 0 and ptr[-1] == count and bool((np.diff(ptr) >= 0).all())
        inside = not count or (self.indices.min() >= 0 and self.indices.max() < self.shape[1])
        if not rising or not inside or len(self.indices) != count:
            raise DataError(
                f"not a CSR matrix of shape {list(self.shape)}: {len(ptr)} row pointers, {len(self.indices)} columns, "
                f"{count} values. Where: Features. Give nodes + 1 row pointers, rising from 0 to the number of values, "
                f"and columns from 0 to {self.shape[1] - 1}."
            )
        check_finite(self.data, "x")

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Features(shape={self.shape}, stored={len(self.data)})"

    def project(self, weight: Floats) -> Floats:
        """``x @ weight``: ``[nodes, width]``."""
        jagged, scale = self._layout
        out = jagged.sum(weight).take(jagged.place, 0)
        return out if scale is None else np.multiply(out, scale, out=out)

    def rows(self, nodes: Ints) -> Features:
        """The features of these nodes, in this order."""
        counts = np.diff(self.indptr)[nodes]
        taken = spread(self.indptr[nodes], counts)
        ptr = np.concatenate([[0], np.cumsum(counts)])
        return self._like(self.data[taken], self.indices[taken], ptr)

    def normalized(self) -> Features:
        """Each row divided by the sum of its absolute values; rows of zeros stay."""
        row = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        total = np.bincount(row, np.abs(self.data), minlength=len(self))
        total[total == 0] = 1.0
        return self._like((self.data / total[row]).astype(np.float32), self.indices, self.indptr)

    def dense(self) -> Floats:
        """``[nodes, features]``; repeated entries add up."""
        out = np.zeros(self.shape, np.float32)
        np.add.at(out, (np.repeat(np.arange(len(self)), np.diff(self.indptr)), self.indices), self.data)
        return out

    def joined(self, other: Features) -> Features:
        """These nodes, then the other ones."""
        ptr = np.concatenate([self.indptr, other.indptr[1:] + len(self.data)])
        return self._like(np.concatenate([self.data, other.data]), np.concatenate([self.indices, other.indices]), ptr)

    @cached_property
    def _layout(self) -> tuple[Jagged, Floats | None]:
        """For sums, and a factor for each row where its values are all the same.

        Words that occur or not are such features, normalised by row or not: summed first and scaled afterwards they
        take half the time.
        """
        counts = np.diff(self.indptr)
        scale = np.zeros(len(self), np.float32)
        scale[counts > 0] = self.data[self.indptr[:-1][counts > 0]]
        if np.array_equal(np.repeat(scale, counts), self.data):
            return Jagged(self.indptr, self.indices), scale[:, None]
        return Jagged(self.indptr, self.indices, self.data), None

    def _like(self, data: Floats, indices: Ints, indptr: Ints) -> Features:
        """Of arrays that are known to be good."""
        made = object.__new__(Features)
        made.shape, made.data, made.indices, made.indptr = (len(indptr) - 1, self.shape[1]), data, indices, indptr
        return made


def check_features(x: npt.ArrayLike | Triple | Features, width: int, name: str) -> Floats | Features:
    """Features as the runtime works with them. Values of a dense matrix are looked at later, in the rows in use.

    Raises:
        DataError: neither Features, nor three arrays, nor numbers ``[nodes, features]``; or of another width.
    """
    if isinstance(x, tuple) and len(x) == 3:
        x = Features(*x, shape=(np.size(x[2]) - 1, width))
    if not isinstance(x, Features):
        x = np.asarray(x)
        if x.ndim != 2 or x.dtype.kind not in "fiub":
            raise DataError(
                f"{name} is {x.dtype} {list(x.shape)}. Where: Predictor. Give real numbers [nodes, features], or "
                "Features(data, indices, indptr, shape)."
            )
    if x.shape[1] != width:
        raise DataError(
            f"{name} has {x.shape[1]} features, the student was trained on {width}. Where: Predictor. "
            "Give the features that it knows, in the same order."
        )
    return x


def select(x: Floats | Features, nodes: Ints | None) -> Floats | Features:
    """The rows of these nodes (None: all), dense ones as finite, contiguous float32."""
    if isinstance(x, Features):
        return x if nodes is None else x.rows(nodes)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        rows = np.ascontiguousarray(x if nodes is None else x[nodes], np.float32)
    check_finite(rows, "x", nodes)
    return rows


def binarize(x: Floats | Features) -> Floats | Features:
    """1 where x is not zero."""
    if isinstance(x, Features):
        return x._like((x.data != 0).astype(np.float32), x.indices, x.indptr)
    return (x != 0).astype(np.float32)


def normalize(x: Floats | Features) -> Floats | Features:
    """Each row divided by the sum of its absolute values, as in training; rows of zeros stay."""
    if isinstance(x, Features):
        return x.normalized()
    total = np.abs(x).sum(axis=1, keepdims=True)
    return x / np.maximum(total, np.float32(1e-12))


def check_finite(x: Floats, name: str, nodes: Ints | None = None) -> None:
    """Refuses NaN and infinite values."""
    # A sum is finite only if every part is; the slow look is for sums that are not.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(x.sum()) or np.isfinite(x).all():
            return
    place = np.argwhere(~np.isfinite(x))[0].tolist()
    if nodes is not None:
        place[0] = int(nodes[place[0]])
    where = f"node {place[0]}, feature {place[1]}" if len(place) == 2 else f"stored value {place[0]}"
    raise DataError(
        f"{name} holds {int((~np.isfinite(x)).sum())} values that are NaN or infinite (first: {where}). "
        "Where: Predictor. Replace them, for example by numpy.nan_to_num(x)."
    )


def _numbers(values: npt.ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise DataError(f"data is {array.dtype} {list(array.shape)}. Where: Features. Give real numbers [stored].")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _whole(values: npt.ArrayLike) -> Ints:
    array = np.asarray(values)
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise DataError(
            f"indices or indptr is {array.dtype} {list(array.shape)}. Where: Features. Give whole numbers in a row."
        )
    return array.astype(np.int64, copy=False)
