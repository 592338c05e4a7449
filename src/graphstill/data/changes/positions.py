"""Data whose features have position columns behind them."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from graphstill.data.node_batches import NodeBatches
from graphstill.data.positions import co_occurrence_positions, symmetric
from graphstill.data.taskdata import TaskData
from graphstill.errors import ConfigError
from graphstill.ops.sparse_features import SparseFeatures

#: The co-occurrences of PubMed's 19,717 nodes take 0.5 GB and half a minute; both grow with the square.
MOST_NODES = 20_000


def with_positions(data: TaskData, dimensions: int = 64, window: int = 10) -> TaskData:
    """Positions from the graph that training sees, scaled to the features. See `NodeTask.with_positions`.

    Raises:
        ConfigError: sizes out of range, a graph of more than 20,000 nodes, several graphs, or positions twice.
    """
    batch = NodeBatches(data).training_graphs()[0]
    _check(data, dimensions, window, len(batch.nodes))
    seen = co_occurrence_positions(batch.graph, dimensions, window)
    full = np.zeros((data.nodes, dimensions), np.float32)
    nodes = batch.nodes.cpu().numpy()
    full[nodes] = seen
    unseen = np.setdiff1d(np.arange(data.nodes), nodes)
    if len(unseen):
        near = symmetric(data.graph)[unseen][:, nodes]
        full[unseen] = near @ seen / np.maximum(near.sum(axis=1), 1).reshape(-1, 1)
    length = _mean_square(batch.x) / max(float(np.square(seen).sum() / len(seen)), 1e-12)
    x = torch.from_numpy(full * np.float32(np.sqrt(length)))
    return with_columns(data, x, {"dimensions": dimensions, "window": window})


def with_columns(data: TaskData, positions: Tensor, how: dict[str, int]) -> TaskData:
    """The data with these positions [nodes, dimensions] behind the features, which were made as `how` says."""
    return data.changed(
        {"positions": hashlib.sha256(f"co-occurrences, {sorted(how.items())}".encode()).digest()},
        x=_beside(data.x, positions),
        facts=data.told(positions=how),
    )


def refuse_positions(data: TaskData) -> None:
    """Raises ConfigError where edges are to be removed from which positions were made."""
    if data.facts.positions is not None:
        raise ConfigError(
            f"edges removed from task {data.facts.name!r}, whose positions were made from them: remove them first, "
            "then call with_positions"
        )


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


def _check(data: TaskData, dimensions: int, window: int, nodes: int) -> None:
    name = data.facts.name
    if data.facts.positions is not None:
        raise ConfigError(f"with_positions of task {name!r}, which has positions already: ask for them once")
    if data.graph_ptr is not None:
        raise ConfigError(
            f"with_positions of task {name!r}, which has several graphs: a position in one says nothing in "
            "another; leave positions out"
        )
    if nodes > MOST_NODES:
        raise ConfigError(
            f"with_positions of task {name!r}: {nodes} nodes have {nodes}² co-occurrences, {MOST_NODES}² are what "
            "fits; compute an embedding on the training graph elsewhere and give it as columns of x"
        )
    for key, value, most in (("dimensions", dimensions, nodes - 1), ("window", window, 100)):
        if not 1 <= value <= most:
            raise ConfigError(f"{key}={value!r} in with_positions of task {name!r}: give a number from 1 to {most}")
