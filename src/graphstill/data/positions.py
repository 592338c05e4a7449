"""Where a node is in the graph, as features: what DeepWalk's embedding factorises, in closed form."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.sparse_features import SparseFeatures
from graphstill.typed import typed

if TYPE_CHECKING:
    from graphstill.data.task import NodeTask

#: The co-occurrences of PubMed's 19,717 nodes take 0.5 GB and half a minute; both grow with the square.
MOST_NODES = 20_000
#: Rows of the matrix of co-occurrences that are dense at a time.
ROWS = 512
#: Rounds of subspace iteration, and how many more vectors it carries than are asked for.
ROUNDS, SPARE = 10, 16


@typed
def with_positions(task: NodeTask, dimensions: int = 64, window: int = 10) -> NodeTask:
    """A copy whose features have position columns behind them, for students that do not look at the graph.

    Tian et al., NOSMOG, ICLR 2023, section 4.1, use DeepWalk's embedding (Perozzi, Al-Rfou, Skiena, KDD 2014). Here it
    is the matrix that DeepWalk factorises (Qiu et al., NetMF, WSDM 2018, theorem 2.3, one negative sample),

        M = log max(1, vol(G) / window · Σ_{r=1..window} P^r D⁻¹),   P = D⁻¹ A,

    and the positions are U Λ², its leading eigenvectors times the squared eigenvalues: nodes are as far apart as their
    rows of M², that is near where they are seen beside the same nodes. They are scaled as a whole to the features' root
    mean squared length, after the features' own normalisation. Edges count in both directions, once, without
    self-loops; a node without edges is at 0.

    Inductive tasks: positions come from the training graph; a node that is not in it gets the mean of its neighbours
    there, or 0 where it has none.

    Args:
        dimensions: columns to add, below the number of nodes that training sees.
        window: the longest walk between nodes that count as seen together.

    Returns:
        A task with its own hash and its own record of test openings. The hash holds what positions are made from and
        how, not their bits: the last ones of an eigenvector depend on the machine.

    Raises:
        ConfigError: sizes out of range, a graph of more than 20,000 nodes, several graphs, or positions twice.

    Deviations from NOSMOG: the closed form instead of sampled walks and skip-grams; the window (10, there 5) and the
    scale. NetMF takes U √|Λ|, which gives small eigenvalues more weight: an MLP on 64 positions alone did better with
    U Λ² on the validation nodes of Cora and CiteSeer, by which it was chosen.
    """
    batch, views = task.training_graphs()[0], task._views
    _check(task, dimensions, window, len(batch.nodes))
    seen = co_occurrence_positions(batch.graph, dimensions, window)
    full = np.zeros((task.num_nodes, dimensions), np.float32)
    nodes = batch.nodes.cpu().numpy()
    full[nodes] = seen
    unseen = np.setdiff1d(np.arange(task.num_nodes), nodes)
    if len(unseen):
        near = _neighbours(views.graph)[unseen][:, nodes]
        full[unseen] = near @ seen / np.maximum(near.sum(axis=1), 1).reshape(-1, 1)
    length = _mean_square(batch.x) / max(float(np.square(seen).sum() / len(seen)), 1e-12)
    x = torch.from_numpy(full * np.float32(np.sqrt(length)))
    return with_columns(task, x, {"dimensions": dimensions, "window": window})


def with_columns(task: NodeTask, positions: Tensor, how: dict[str, int]) -> NodeTask:
    """A copy with these positions [nodes, dimensions] behind its features, which were made as `how` says."""
    changed = task._derive(
        replace(task._views, x=_beside(task._views.x, positions)),
        positions=hashlib.sha256(f"co-occurrences, {sorted(how.items())}".encode()).digest(),
    )
    changed.in_features, changed._positions = task.in_features + positions.shape[1], how
    return changed


def co_occurrence_positions(graph: Adjacency, dimensions: int, window: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """U Λ² of the matrix of `with_positions`, float32 [nodes, dimensions], largest first; signs and start are fixed."""
    from scipy.sparse import csr_matrix, vstack

    edges, nodes = _neighbours(graph), graph.num_nodes
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


def _neighbours(graph: Adjacency) -> Any:
    """The graph as a symmetric SciPy matrix of ones and zeros, without self-loops."""
    from scipy.sparse import csr_matrix

    source, target = graph.edge_index().cpu().numpy()
    kept = source != target
    ends = (np.concatenate([target[kept], source[kept]]), np.concatenate([source[kept], target[kept]]))
    matrix = csr_matrix((np.ones(len(ends[0]), np.float32), ends), shape=(graph.num_nodes, graph.num_nodes))
    matrix.data[:] = 1  # what SciPy has summed over duplicates
    return matrix


def _mean_square(x: SparseFeatures | Tensor) -> float:
    """The mean squared length of a row."""
    values = x.values if isinstance(x, SparseFeatures) else x
    return float(values.square().sum() / len(x))


def _beside(x: SparseFeatures | Tensor, block: Tensor) -> SparseFeatures | Tensor:
    """[x, block]; sparse where x is, with the block as columns that happen to be full."""
    if isinstance(x, Tensor):
        return torch.cat([x, block.to(x)], dim=1)
    from scipy.sparse import csr_matrix, hstack

    cpu = x.to("cpu")
    own = csr_matrix((cpu.values.numpy(), cpu.indices.numpy(), cpu.ptr.numpy()), shape=cpu.shape)
    both = hstack([own, csr_matrix(block.to(cpu.dtype).numpy())], format="csr")
    return SparseFeatures.from_scipy(both).to(x.device)


def _check(task: NodeTask, dimensions: int, window: int, nodes: int) -> None:
    if task._positions is not None:
        raise ConfigError(f"with_positions of task {task.name!r}, which has positions already: ask for them once")
    if task.graph_ptr is not None:
        raise ConfigError(
            f"with_positions of task {task.name!r}, which has several graphs: a position in one says nothing in "
            "another; leave positions out"
        )
    if nodes > MOST_NODES:
        raise ConfigError(
            f"with_positions of task {task.name!r}: {nodes} nodes have {nodes}² co-occurrences, {MOST_NODES}² are what "
            "fits; compute an embedding on the training graph elsewhere and give it as columns of x"
        )
    for key, value, most in (("dimensions", dimensions, nodes - 1), ("window", window, 100)):
        if not 1 <= value <= most:
            raise ConfigError(
                f"{key}={value!r} in with_positions of task {task.name!r}: give a number from 1 to {most}"
            )
