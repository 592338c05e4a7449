"""Generated graphs and random features: for time and memory, never for accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from graphstill.data import NodeTask


def power_law(nodes: int, edges: int, seed: int = 0, exponent: float = 0.45) -> NDArray[np.int64]:
    """Both directions of `edges` / 2 distinct pairs, int64 [2, edges]; no self-loops, no communities.

    The ends are drawn with probability rank^-exponent (a Chung-Lu graph, degrees from a power law), the ranks being
    shuffled over the nodes: what is near in memory has nothing in common, the worst case for caches.
    """
    random = np.random.default_rng(seed)
    share = np.arange(1, nodes + 1) ** -exponent
    bounds = np.cumsum(share / share.sum())
    names, pairs = random.permutation(nodes), np.empty(0, dtype=np.int64)
    while len(pairs) < edges // 2:
        ends = names[np.minimum(np.searchsorted(bounds, random.random((2, edges))), nodes - 1)]
        low, high = np.sort(ends, axis=0)
        pairs = np.unique(np.concatenate([pairs, (low * nodes + high)[low != high]]))
    pairs = random.permutation(pairs)[: edges // 2]
    one = np.stack([pairs // nodes, pairs % nodes])
    return np.concatenate([one, one[::-1]], axis=1)


def random_task(
    nodes: int, edges: int | NDArray[np.int64], features: int, classes: int, labels: int = 0, seed: int = 0
) -> NodeTask:
    """A task with dense normal features and random classes, or `labels` random labels a node."""
    random = np.random.default_rng(seed + 1)
    edge_index = power_law(nodes, edges, seed) if isinstance(edges, int) else edges
    x = random.standard_normal((nodes, features), dtype=np.float32)
    y = (random.random((nodes, labels)) < 0.3).astype(np.float32) if labels else random.integers(classes, size=nodes)
    order = random.permutation(nodes)
    train, val, test = np.split(order, [int(0.6 * nodes), int(0.8 * nodes)])
    return NodeTask.from_arrays(
        x, edge_index, y, train=train, val=val, test=test, num_classes=None if labels else classes, sparse=False,
        name=f"random-{nodes}",
    )  # fmt: skip


def ppi_sized(seed: int = 0) -> NodeTask:
    """A batch of two graphs of PPI: 5,000 nodes, 170,000 directed edges, 50 features, 121 labels."""
    return random_task(5000, 170_000, 50, 0, labels=121, seed=seed)
