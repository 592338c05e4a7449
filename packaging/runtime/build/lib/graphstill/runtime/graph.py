"""The graph of a prediction: edges checked once, sorted by target, and the part of them that a node depends on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from graphstill.errors import DataError
from graphstill.runtime.area import Area
from graphstill.runtime.jagged import Ints, spread


class Graph:
    """Edges of one graph, to be used in as many predictions as wanted.

    Sorted by target, then source: no result depends on the order in which edges were given. Repeated edges and
    self-loops are kept and count as often as they occur.

    Shapes:
        edge_index: whole numbers ``[2, edges]``: row 0 sources, row 1 targets. ``ptr``: int64 ``[nodes + 1]``, the
        edges into node i are ``ptr[i]:ptr[i + 1]``; ``source``: int64 ``[edges]`` in that order; ``loops``: int64
        ``[nodes]``, the self-loops of each node.

    Raises:
        DataError: not whole numbers ``[2, edges]``, or an end that is no node.
    """

    def __init__(self, edge_index: npt.ArrayLike, num_nodes: int) -> None:
        edges = check_edges(edge_index, num_nodes, "edge_index")
        self.num_nodes, self.num_edges = int(num_nodes), edges.shape[1]
        key = np.sort((edges[1] << 32) | edges[0])
        target, self.source = key >> 32, key & 0xFFFFFFFF
        self.ptr = np.zeros(self.num_nodes + 1, np.int64)
        np.cumsum(np.bincount(target, minlength=self.num_nodes), out=self.ptr[1:])
        self.loops = np.bincount(target[target == self.source], minlength=self.num_nodes)

    def __repr__(self) -> str:
        return f"Graph(num_nodes={self.num_nodes}, num_edges={self.num_edges})"

    @cached_property
    def whole(self) -> Area:
        """All nodes with all edges; what is derived from them is kept."""
        return Area(self.ptr, self.source, np.diff(self.ptr), self.loops)

    def sources(self, nodes: Ints) -> tuple[Ints, Ints]:
        """The sources of the edges into these nodes, node after node, and how many each has."""
        starts = self.ptr[nodes]
        counts = self.ptr[nodes + 1] - starts
        return self.source[spread(starts, counts)], counts

    def degrees(self, nodes: Ints) -> tuple[Ints, Ints]:
        """Edges into each of these nodes, self-loops included, and self-loops alone."""
        return self.ptr[nodes + 1] - self.ptr[nodes], self.loops[nodes]


class Grown:
    """A graph with new nodes, numbered on from its own, and new edges. Nothing of the old graph is sorted again."""

    def __init__(self, old: Graph, new_nodes: int, new_edges: npt.ArrayLike) -> None:
        self.num_nodes = old.num_nodes + new_nodes
        check_edges(new_edges, self.num_nodes, "new_edges")
        self.old, self.new = old, Graph(new_edges, self.num_nodes)

    def sources(self, nodes: Ints) -> tuple[Ints, Ints]:
        known = nodes < self.old.num_nodes
        old, part = self.old.sources(nodes[known])
        old_counts = np.zeros_like(nodes)
        old_counts[known] = part
        new, new_counts = self.new.sources(nodes)
        counts = old_counts + new_counts
        starts = np.cumsum(counts) - counts
        both = np.empty(len(old) + len(new), np.int64)
        both[spread(starts, old_counts)] = old
        both[spread(starts + old_counts, new_counts)] = new
        return both, counts

    def degrees(self, nodes: Ints) -> tuple[Ints, Ints]:
        known = nodes < self.old.num_nodes
        degree, loops = self.new.degrees(nodes)
        old_degree, old_loops = self.old.degrees(nodes[known])
        degree[known] += old_degree
        loops[known] += old_loops
        return degree, loops


def gather(graph: Graph | Grown, nodes: Ints, hops: int) -> Area:
    """These nodes (each once) and all from which they can be reached in up to ``hops`` edges, nearest first.

    Nodes at the rim have no edges here, but the degrees that they have in the whole graph.
    """
    place = np.zeros(graph.num_nodes, np.int32)  # number within the area, from 1; untouched pages cost nothing
    place[nodes] = np.arange(1, len(nodes) + 1)
    rings, sizes = [nodes], [len(nodes)]
    sources, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for _ in range(hops):
        source, count = graph.sources(rings[-1])
        sources.append(source)
        counts.append(count)
        new = source[place[source] == 0]
        place[new] = np.arange(1, len(new) + 1)
        ring = new[place[new] == np.arange(1, len(new) + 1)]  # of several mentions the last one stays
        place[ring] = np.arange(sizes[-1] + 1, sizes[-1] + len(ring) + 1)
        rings.append(ring)
        sizes.append(sizes[-1] + len(ring))
    found = np.concatenate(rings)
    ptr = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
    local = place[np.concatenate(sources)].astype(np.int64) - 1
    return Area(ptr, local, *graph.degrees(found), nodes=found, sizes=sizes)


def check_edges(edge_index: npt.ArrayLike, num_nodes: int, name: str) -> Ints:
    """int64 ``[2, edges]``."""
    edges = np.asarray(edge_index)
    if edges.ndim != 2 or edges.shape[0] != 2 or (edges.dtype.kind not in "iu" and edges.size):
        raise DataError(
            f"{name} is {edges.dtype} {list(edges.shape)}. Where: Graph. "
            "Give whole numbers [2, edges]: row 0 sources, row 1 targets (no edges: shape [2, 0])."
        )
    if not 0 <= num_nodes < 1 << 31:
        raise DataError(f"{num_nodes} nodes. Where: Graph. Give their number, from 0 up to 2**31 - 1.")
    edges = edges.astype(np.int64, copy=False)
    if edges.size and (edges.min() < 0 or edges.max() >= num_nodes):
        column = int(np.argmax(((edges < 0) | (edges >= num_nodes)).any(axis=0)))
        raise DataError(
            f"{name} column {column} is {edges[:, column].tolist()}, the nodes are 0..{num_nodes - 1}. Where: Graph. "
            "Give the right number of nodes, or renumber them."
        )
    return edges


def check_nodes(nodes: npt.ArrayLike | Sequence[int], num_nodes: int) -> Ints:
    """int64 ``[count]``, any order, repeats allowed."""
    index = np.asarray(nodes)
    if index.ndim != 1 or not index.size or index.dtype.kind not in "iu":
        raise DataError(
            f"nodes is {index.dtype} {list(index.shape)}. Where: Predictor. Give a list of at least one node number "
            "(of a mask: numpy.flatnonzero(mask)), or leave it out for all nodes."
        )
    index = index.astype(np.int64, copy=False)
    wrong = (index < 0) | (index >= num_nodes)
    if wrong.any():
        raise DataError(
            f"nodes holds {int(index[np.argmax(wrong)])} at place {int(np.argmax(wrong))}, the nodes are "
            f"0..{num_nodes - 1}. Where: Predictor. Give numbers of nodes that are there."
        )
    return index
