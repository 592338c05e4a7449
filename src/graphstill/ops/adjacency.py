"""The edges of a graph, sorted once: what every product, softmax and edge score of this package runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from graphstill.errors import DataError
from graphstill.ops import _csr


@dataclass
class _Weights:
    """Constant edge weights with the sparse matrices made from them (on first use)."""

    values: Tensor
    forward: Tensor | None = None
    backward: Tensor | None = None


class Adjacency:
    """Edges of one graph sorted by target, then source (CSR: row = target), with its transpose, cached.

    Sorting makes every result independent of the order in which the edges were given. Duplicate edges and self-loops
    are kept and count as often as they occur.

    Attributes:
        num_nodes, num_edges: N and E.
        ptr: int32 [N + 1]; the edges into node i are ptr[i]:ptr[i + 1].
        source, target: int32 [E], in CSR order.
        order: int64 [E]; `edge_index[:, order]` is the CSR order.
        t_ptr, t_target, t_order: the transpose (row = source); `values[t_order]` are its values.
    """

    def __init__(self, ptr: Tensor, source: Tensor, target: Tensor, order: Tensor) -> None:
        """Takes arrays that are sorted already; `from_edge_index` sorts and checks."""
        self.ptr, self.source, self.target, self.order = ptr, source, target, order
        self.num_nodes = ptr.numel() - 1
        self.num_edges = source.numel()
        self._weights: dict[tuple[str, torch.dtype], _Weights] = {}
        self._parts: tuple[Adjacency, ...] = ()
        self._looped: Adjacency | None = None
        self._repeated: dict[int, Adjacency] = {}
        self._incidence: dict[torch.dtype, Tensor] = {}
        self._incidence_by_source: dict[torch.dtype, Tensor] = {}

    @classmethod
    def from_edge_index(cls, edge_index: Tensor, num_nodes: int) -> Adjacency:
        """From PyG's int64 [2, E] (row 0 source, row 1 target).

        Raises:
            DataError: not an integer [2, E] array, or a node number outside 0..num_nodes - 1.
        """
        if edge_index.dim() != 2 or edge_index.shape[0] != 2 or edge_index.is_floating_point():
            raise DataError(
                f"edge_index is {edge_index.dtype} {list(edge_index.shape)}. Where: Adjacency.from_edge_index. "
                "Pass an integer tensor [2, edges]: row 0 sources, row 1 targets."
            )
        _csr.check_size(edge_index.shape[1], "edges")
        source, target = edge_index.long()
        if edge_index.numel():
            low, high = (int(bound) for bound in edge_index.aminmax())
            if low < 0 or high >= num_nodes:
                raise DataError(
                    f"edge_index holds node {low if low < 0 else high}, the graph has nodes 0..{num_nodes - 1}. "
                    "Where: Adjacency.from_edge_index. Pass the right num_nodes or renumber the nodes."
                )
        order = torch.argsort(target * num_nodes + source, stable=True)
        ptr = _csr.pointers(target, num_nodes)
        return cls(ptr, source[order].int(), target[order].int(), order)

    @classmethod
    def disjoint(cls, parts: Sequence[Adjacency]) -> Adjacency:
        """The block-diagonal union: nodes and edges of the parts one after another. Nothing is sorted again.

        Weights and self-loops of the union are put together from those of the parts, so that a batch of graphs that
        were batched before costs a few concatenations.
        """
        if not parts:
            raise DataError("no graphs to join. Where: Adjacency.disjoint. Pass at least one Adjacency.")
        if len(parts) == 1:
            return parts[0]
        _csr.check_size(sum(part.num_edges for part in parts), "edges")
        union = cls(
            _join_pointers([part.ptr for part in parts]),
            _join([part.source for part in parts], [part.num_nodes for part in parts]),
            _join([part.target for part in parts], [part.num_nodes for part in parts]),
            _join([part.order for part in parts], [part.num_edges for part in parts]),
        )
        union._parts = tuple(parts)
        return union

    @cached_property
    def transposed(self) -> Adjacency:
        """The graph with all edges turned round; `order` of the result is this adjacency's `t_order`."""
        if self._parts:
            return Adjacency.disjoint([part.transposed for part in self._parts])
        order = torch.argsort(self.source, stable=True)
        ptr = _csr.pointers(self.source, self.num_nodes)
        return Adjacency(ptr, self.target[order], self.source[order], order)

    @cached_property
    def position(self) -> Tensor:
        """int64 [E]: where each edge, in the order in which the edges were given, is in CSR order; inverts `order`."""
        position = torch.empty_like(self.order)
        position[self.order] = torch.arange(self.num_edges, device=self.device)
        return position

    @cached_property
    def order_by_source(self) -> Tensor:
        """int64 [E]: `edge_index[:, order_by_source]` is the order of the transpose."""
        return self.order[self.t_order]

    def repeated(self, count: int) -> Adjacency:
        """`count` copies of the graph side by side, cached: node i of copy k is i * count + k, edge e is e * count + k.

        `order` of the result refers to edges so numbered, e in this adjacency's CSR order: to values [E, count] flattened.
        """
        if count not in self._repeated:
            if self._parts:
                self._repeated[count] = Adjacency.disjoint([part.repeated(count) for part in self._parts])
            else:
                copies = torch.arange(count, device=self.device)
                edges = (self.edge_index()[:, :, None] * count + copies).flatten(1)
                self._repeated[count] = Adjacency.from_edge_index(edges, self.num_nodes * count)
        return self._repeated[count]

    def incidence(self, dtype: torch.dtype) -> Tensor:
        """Sparse [N, E] of ones, cached: times values [E, K] it sums over the edges into each node."""
        if dtype not in self._incidence:
            columns = torch.arange(self.num_edges, dtype=torch.int32, device=self.device)
            self._incidence[dtype] = _csr.matrix(self.ptr, columns, self.ones(dtype), (self.num_nodes, self.num_edges))
        return self._incidence[dtype]

    def incidence_by_source(self, dtype: torch.dtype) -> Tensor:
        """The same for the edges out of each node, of values in CSR order."""
        if dtype not in self._incidence_by_source:
            shape = (self.num_nodes, self.num_edges)
            self._incidence_by_source[dtype] = _csr.matrix(self.t_ptr, self.t_order.int(), self.ones(dtype), shape)
        return self._incidence_by_source[dtype]

    @cached_property
    def loops(self) -> Tensor:
        """Positions of the self-loops in CSR order, int64."""
        return (self.source == self.target).nonzero().squeeze(1)

    @property
    def t_ptr(self) -> Tensor:
        return self.transposed.ptr

    @property
    def t_target(self) -> Tensor:
        return self.transposed.source

    @property
    def t_order(self) -> Tensor:
        return self.transposed.order

    @property
    def device(self) -> torch.device:
        return self.ptr.device

    def __repr__(self) -> str:
        return f"Adjacency(nodes={self.num_nodes}, edges={self.num_edges}, device={str(self.device)!r})"

    def with_self_loops(self) -> Adjacency:
        """The same graph with exactly one self-loop at each node (cached), as PyG's `add_remaining_self_loops`.

        `order` of the result refers to the edges other than self-loops in this adjacency's CSR order, then one loop
        a node.
        """
        if self._looped is None:
            if self._parts:
                self._looped = Adjacency.disjoint([part.with_self_loops() for part in self._parts])
            else:
                edges = self.edge_index()
                loops = torch.arange(self.num_nodes, device=self.device).expand(2, -1)
                edges = torch.cat([edges[:, edges[0] != edges[1]], loops], dim=1)
                self._looped = Adjacency.from_edge_index(edges, self.num_nodes)
                self._looped._looped = self._looped
        return self._looped

    def edge_index(self) -> Tensor:
        """int64 [2, E] in CSR order."""
        return torch.stack([self.source, self.target]).long()

    def degree(self) -> Tensor:
        """In-degree, float32 [N]."""
        return self.ptr.diff().to(torch.float32)

    def ones(self, dtype: torch.dtype) -> Tensor:
        """[E], cached."""
        return self._constant(
            "ones", dtype, lambda: torch.ones(self.num_edges, dtype=torch.float64, device=self.device)
        )

    def gcn_weights(self, dtype: torch.dtype) -> Tensor:
        """D^-1/2 A D^-1/2 of this adjacency with in-degrees D, [E], cached; as PyG's `gcn_norm` without adding loops.

        A node that nothing points at has weight 0 on its outgoing edges.
        """

        def compute() -> Tensor:
            scale = self.ptr.diff().double().rsqrt()
            scale = torch.where(scale.isinf(), 0.0, scale)
            return scale[self.target] * scale[self.source]

        return self._constant("gcn", dtype, compute)

    def mean_weights(self, dtype: torch.dtype) -> Tensor:
        """1 / in-degree of the target, [E], cached."""
        return self._constant("mean", dtype, lambda: self.ptr.diff().double().reciprocal()[self.target])

    def _constant(self, name: str, dtype: torch.dtype, compute: Callable[[], Tensor]) -> Tensor:
        entry = self._weights.get((name, dtype))
        if entry is None:
            if self._parts:
                getter = {"ones": Adjacency.ones, "gcn": Adjacency.gcn_weights, "mean": Adjacency.mean_weights}[name]
                values = torch.cat([getter(part, dtype) for part in self._parts])
            else:
                values = compute().to(dtype)
            entry = self._weights[(name, dtype)] = _Weights(values)
        return entry.values

    def matrix(self, values: Tensor) -> Tensor:
        """The sparse [N, N] matrix with these values [E]; kept for weights that this adjacency handed out."""
        entry = self._known(values)
        if entry is None:
            return self._build(values)
        if entry.forward is None:
            entry.forward = self._build(values)
        return entry.forward

    def transposed_matrix(self, values: Tensor) -> Tensor:
        """The transpose of `matrix(values)`, in CSR; kept likewise."""
        entry = self._known(values)
        if entry is None:
            return self._build_transposed(values)
        if entry.backward is None:
            entry.backward = self._build_transposed(values)
        return entry.backward

    def _build(self, values: Tensor) -> Tensor:
        return _csr.matrix(self.ptr, self.source, values, (self.num_nodes, self.num_nodes))

    def _build_transposed(self, values: Tensor) -> Tensor:
        return self.transposed._build(values.index_select(0, self.t_order))

    def _known(self, values: Tensor) -> _Weights | None:
        return next((entry for entry in self._weights.values() if entry.values is values), None)

    def to(self, device: torch.device | str) -> Adjacency:
        """This adjacency on a device; itself where it is there already."""
        device = torch.device(device)
        if self.ptr.device == device or (device.index is None and self.ptr.device.type == device.type):
            return self
        return Adjacency(*(array.to(device) for array in (self.ptr, self.source, self.target, self.order)))


def _join(arrays: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Concatenates arrays of numbers, each shifted by the sizes before it."""
    offset, shifted = 0, []
    for array, size in zip(arrays, sizes, strict=True):
        shifted.append(array + offset)
        offset += size
    return torch.cat(shifted)


def _join_pointers(pointers: Sequence[Tensor]) -> Tensor:
    tails = _join([ptr[1:] for ptr in pointers], [int(ptr[-1]) for ptr in pointers])
    return torch.cat([pointers[0][:1], tails])
