"""The nodes that a prediction reads, nearest first, with the edges between them: what the steps of a plan run on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from graphstill.runtime.jagged import Floats, Ints, Jagged


class Area:
    """Nodes numbered by their distance to the ones asked for, so that those within r hops are the first ``size(r)``.

    Shapes:
        ptr: int64 ``[rows + 1]`` and source: int64 ``[edges]``: the edges into each node but those at the rim. degree,
        loops: int64 ``[size]``, edges into each node and self-loops among them, in the whole graph. nodes: int64
        ``[size]``, the numbers of the nodes in the graph, or None for all in their order; then ``sizes`` is None too.
    """

    def __init__(
        self,
        ptr: Ints,
        source: Ints,
        degree: Ints,
        loops: Ints,
        nodes: Ints | None = None,
        sizes: Sequence[int] | None = None,
    ) -> None:
        self.ptr, self.source, self.degree, self.loops = ptr, source, degree, loops
        self.nodes, self.sizes = nodes, sizes
        self._jagged: dict[tuple[int, bool], Jagged] = {}
        self._scales: dict[tuple[str, bool], Floats] = {}

    def size(self, radius: int) -> int:
        """How many nodes are within so many hops."""
        return len(self.degree) if self.sizes is None else self.sizes[radius]

    def jagged(self, rows: int, without_loops: bool) -> Jagged:
        """The edges into the first ``rows`` nodes, laid out for sums; kept."""
        key = (rows, without_loops and self._has_loops)
        if key not in self._jagged:
            ptr, source = self._plain if key[1] else (self.ptr, self.source)
            self._jagged[key] = Jagged(ptr[: rows + 1], source[: ptr[rows]])
        return self._jagged[key]

    def scale(self, norm: str, self_loops: bool) -> Floats:
        """``[size, 1]``: 1 / sqrt(degree) for "gcn", 1 / degree for "mean"; 0 for a node without edges."""
        if (norm, self_loops) not in self._scales:
            degree = (self.degree - self.loops + 1 if self_loops else self.degree).astype(np.float64)
            inverse = np.divide(1.0, np.sqrt(degree) if norm == "gcn" else degree, where=degree > 0, out=degree * 0)
            self._scales[norm, self_loops] = inverse.astype(np.float32)[:, None]
        return self._scales[norm, self_loops]

    @cached_property
    def edge_index(self) -> Ints:
        """int64 ``[2, edges]``. Nodes at the rim have their self-loops: a file counts them itself."""
        target = np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))
        rim = np.repeat(np.arange(len(self.ptr) - 1, len(self.degree)), self.loops[len(self.ptr) - 1 :])
        return np.stack([np.concatenate([self.source, rim]), np.concatenate([target, rim])])

    @cached_property
    def _has_loops(self) -> bool:
        return bool(self.loops.any())

    @cached_property
    def _plain(self) -> tuple[Ints, Ints]:
        """``ptr`` and ``source`` without self-loops."""
        kept = self.source != np.repeat(np.arange(len(self.ptr) - 1), np.diff(self.ptr))
        ptr = self.ptr.copy()
        ptr[1:] -= np.cumsum(self.loops[: len(ptr) - 1])
        return ptr, self.source[kept]
