"""A name for data that changes when anything that is learnt from changes, and not when only its storage does."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from graphstill.data.splits import Split
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures

_CHUNK = 1 << 24  # numbers hashed at once, so that dense features need no second copy


def features_digest(x: SparseFeatures | Tensor) -> bytes:
    """sha256 of shape, non-zeros of each row, their columns and values: the same for dense and sparse storage."""
    counts, columns, values = hashlib.sha256(), hashlib.sha256(), hashlib.sha256(repr(tuple(x.shape)).encode())
    if isinstance(x, SparseFeatures):
        _feed(counts, x.ptr.diff().int())
        _feed(columns, x.indices)
        _feed(values, x.values)
    else:
        for rows in x.split(max(1, _CHUNK // x.shape[1])):
            kept = rows != 0
            _feed(counts, kept.sum(dim=1, dtype=torch.int32))
            _feed(columns, kept.nonzero()[:, 1].int())
            _feed(values, rows[kept])
    return hashlib.sha256(counts.digest() + columns.digest() + values.digest()).digest()


def edges_digest(graph: Adjacency) -> bytes:
    """sha256 of the edges in CSR order, so that the order in which they were given does not matter."""
    digest = hashlib.sha256(str(graph.num_nodes).encode())
    _feed(digest, graph.source)
    _feed(digest, graph.target)
    return digest.digest()


def digests(
    x: SparseFeatures | Tensor, graph: Adjacency, labels: Tensor, split: Split, graph_ptr: Tensor | None
) -> dict[str, bytes]:
    """Of all that a task is made of. Labels count only where the split uses them."""
    parts = [split.train, split.val, split.test]
    return {
        "features": features_digest(x),
        "edges": edges_digest(graph),
        "labels": arrays_digest(*(labels[part] for part in parts)),
        "split": arrays_digest(*parts, *([] if graph_ptr is None else [graph_ptr])),
    }


def arrays_digest(*arrays: Tensor) -> bytes:
    """sha256 of types, shapes and bytes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{tuple(array.shape)}".encode())
        _feed(digest, array)
    return digest.digest()


def combined(parts: dict[str, bytes], **flags: object) -> str:
    """Hexadecimal sha256 of named digests and flags."""
    text = [f"{name}={digest.hex()}" for name, digest in sorted(parts.items())] + [
        f"{name}={flag!r}" for name, flag in sorted(flags.items())
    ]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()


def _feed(digest: hashlib._Hash, array: Tensor) -> None:
    if array.dtype == torch.bfloat16:  # numpy has none
        array = array.contiguous().view(torch.int16)
    digest.update(np.ascontiguousarray(array.cpu().numpy()).reshape(-1).data)
