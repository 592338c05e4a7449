"""Where a node is in the graph, as features: what DeepWalk's embedding factorises, in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphstill.ops.adjacency import Adjacency

#: Rows of the matrix of co-occurrences that are dense at a time.
ROWS = 512
#: Rounds of subspace iteration, and how many more vectors it carries than are asked for.
ROUNDS, SPARE = 10, 16


def co_occurrence_positions(graph: Adjacency, dimensions: int, window: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """U Λ² of the matrix of `NodeTask.with_positions`, float32 [nodes, dimensions], largest first; signs and start "
    "are fixed."""
    from scipy.sparse import csr_matrix, vstack

    edges, nodes = symmetric(graph), graph.num_nodes
    degree = np.asarray(edges.sum(axis=1), np.float32).ravel()
    inverse = np.divide(1, degree, out=np.zeros_like(degree), where=degree > 0)
    blocks = []
    for first in range(0, nodes, ROWS):
        rows = np.arange(first, min(first + ROWS, nodes))
        walks = np.zeros((nodes, len(rows)), np.float32)  # transposed: column i holds the walks from rows[i]
        walks[rows, rows - first] = 1
        total = np.zeros_like(walks)
        for _ in range(window):
            walks = edges @ (inverse[:, None] * walks)
            total += walks
        total *= degree.sum() / window * inverse[:, None]
        blocks.append(csr_matrix(np.log(np.maximum(total, 1, out=total), out=total).T))
    return _principal(vstack(blocks, format="csr"), dimensions)


def _principal(matrix: Any, dimensions: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """By subspace iteration from fixed vectors: unlike Lanczos' method it meets equal eigenvalues every day."""
    nodes = matrix.shape[0]
    start = np.random.default_rng(0).standard_normal((nodes, min(dimensions + SPARE, nodes)), np.float32)
    basis = np.linalg.qr(start)[0]
    for _ in range(ROUNDS):
        basis = np.linalg.qr(matrix @ basis)[0]
    inner = basis.T @ (matrix @ basis)
    values, vectors = np.linalg.eigh((inner + inner.T) / 2)
    leading = np.argsort(-np.abs(values), kind="stable")[:dimensions]
    found = basis @ vectors[:, leading] * np.square(values[leading])
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=0)[None], axis=0)
    return (found * np.where(largest < 0, -1, 1)).astype(np.float32)


def symmetric(graph: Adjacency) -> Any:
    """The graph as a symmetric SciPy matrix of ones and zeros, without self-loops."""
    from scipy.sparse import csr_matrix

    source, target = graph.edge_index().cpu().numpy()
    kept = source != target
    ends = (np.concatenate([target[kept], source[kept]]), np.concatenate([source[kept], target[kept]]))
    matrix = csr_matrix((np.ones(len(ends[0]), np.float32), ends), shape=(graph.num_nodes, graph.num_nodes))
    matrix.data[:] = 1  # what SciPy has summed over duplicates
    return matrix
