"""Input features: dense where they are dense, sparse where they are bags of words."""

from __future__ import annotations

import copy
from typing import Any, Literal

import torch
from torch import Tensor

from graphstill.data.convert import as_tensor
from graphstill.errors import ConfigError, DataError
from graphstill.ops.sparse_features import SparseFeatures

SPARSE_BELOW = 0.3  # share of non-zeros; a step is faster sparse on a CPU up to about a third, 2.5 times at a tenth


def as_features(
    x: Any, *, sparse: bool | None = None, normalize: Literal["row"] | None = None
) -> SparseFeatures | Tensor:
    """float32 features [nodes, features], checked; they share no memory with what was given.

    Args:
        x: dense or sparse tensor, NumPy array, SciPy sparse matrix, or SparseFeatures.
        sparse: keep them sparse or not; None keeps what is stored sparse, and makes sparse what has
            less than 30 % of non-zeros.
        normalize: "row" divides each row by the sum of its absolute values; rows of zeros stay.

    Raises:
        DataError: not numbers [nodes, features], NaN or infinite, or no nodes or features.
        ConfigError: another word for normalize.
    """
    if normalize not in (None, "row"):
        raise ConfigError(f"normalize={normalize!r} of a NodeTask is not known: give 'row' or None")
    features = _stored(x)
    if isinstance(features, SparseFeatures):
        features = features if sparse is not False else features.to_dense()
    elif sparse or (sparse is None and int(torch.count_nonzero(features)) < SPARSE_BELOW * features.numel()):
        features = SparseFeatures.from_dense(features)
    if normalize is None:
        return features
    return (
        features.row_normalized()
        if isinstance(features, SparseFeatures)
        else torch.nn.functional.normalize(features, p=1.0, dim=1)
    )


def select_rows(x: SparseFeatures | Tensor, index: Tensor) -> SparseFeatures | Tensor:
    """The rows of these nodes, in this order."""
    return x.rows(index) if isinstance(x, SparseFeatures) else x[index]


def binarized(x: Any) -> Any:
    """1 where x is not zero; PyG's readers of the Amazon and Coauthor sets do this to the stored word counts."""
    if hasattr(x, "tocsr"):
        return (x != 0).astype("float32")
    return (torch.as_tensor(x) != 0).float()


def _stored(x: Any) -> SparseFeatures | Tensor:
    if isinstance(x, SparseFeatures):
        _check(x.shape, x.values)
        return copy.deepcopy(x.to("cpu").to(torch.float32))
    if hasattr(x, "tocsr") or (isinstance(x, Tensor) and x.layout != torch.strided):
        matrix = _scipy(x)
        _check(matrix.shape, torch.as_tensor(matrix.data))
        matrix = matrix.astype("float32")  # a copy: the caller's matrix stays as it is
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return SparseFeatures.from_scipy(matrix)
    dense = as_tensor(x, "x")
    _check(dense.shape, dense)
    return dense.to(torch.float32, copy=True)


def _scipy(x: Any) -> Any:
    if not isinstance(x, Tensor):
        return x.tocsr()
    from scipy.sparse import csr_matrix

    csr = x.detach().cpu().to_sparse_csr()
    return csr_matrix(
        (csr.values().numpy(), csr.col_indices().numpy(), csr.crow_indices().numpy()), shape=tuple(csr.shape)
    )


def _check(shape: tuple[int, ...], values: Tensor) -> None:
    if len(shape) != 2 or 0 in shape:
        raise DataError(
            f"x has shape {list(shape)}: features are [nodes, features], at least one of each (a single feature: "
            "x.view(-1, 1))"
        )
    if values.is_complex():
        raise DataError(f"x holds {values.dtype}: features are real numbers; give real and imaginary parts as columns")
    finite = torch.isfinite(values.to(torch.float32))
    if not bool(finite.all()):
        first = (~finite).nonzero()[0].tolist()
        where = f"row {first[0]}, column {first[1]}" if len(first) == 2 else f"stored value {first[0]}"
        raise DataError(
            f"x holds {int((~finite).sum())} values that are NaN or too large for float32 (first: {where}): "
            "replace them, for example by torch.nan_to_num(x)"
        )
