"""Sorted edges, which graphs they are of, and what is known of each edge: the arrays of an `Adjacency`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import DataError
from graphstill.ops.groups import Groups


class Extras(TypedDict, total=False):
    """What a structure may have beside its edges."""

    graph_ptr: Tensor | None
    edge_attr: Tensor | None


class Structure:
    """Arrays that are sorted already; see `Adjacency`."""

    def __init__(
        self,
        ptr: Tensor,
        source: Tensor,
        target: Tensor,
        order: Tensor,
        *,
        graph_ptr: Tensor | None = None,
        edge_attr: Tensor | None = None,
    ) -> None:
        self.ptr, self.source, self.target, self.order = ptr, source, target, order
        self.graph_ptr, self.edge_attr = graph_ptr, edge_attr
        self.num_nodes = ptr.numel() - 1
        self.num_edges = source.numel()

    @property
    def device(self) -> torch.device:
        return self.ptr.device

    def edge_index(self) -> Tensor:
        """int64 [2, E] in CSR order."""
        return torch.stack([self.source, self.target]).long()

    def degree(self) -> Tensor:
        """In-degree, float32 [N]."""
        return self.ptr.diff().to(torch.float32)

    @cached_property
    def position(self) -> Tensor:
        """int64 [E]: where each edge, in the order in which the edges were given, is in CSR order; inverts `order`."""
        position = torch.empty_like(self.order)
        position[self.order] = torch.arange(self.num_edges, device=self.device)
        return position

    @cached_property
    def loops(self) -> Tensor:
        """Positions of the self-loops in CSR order, int64."""
        return (self.source == self.target).nonzero().squeeze(1)

    @cached_property
    def groups(self) -> Groups:
        """The nodes by the graph of the batch that they belong to; all in one where it is not known."""
        ptr = torch.tensor([0, self.num_nodes], device=self.device) if self.graph_ptr is None else self.graph_ptr
        return Groups.from_ptr(ptr, self.num_nodes)

    @cached_property
    def edge_groups(self) -> Groups:
        """The edges, in CSR order, by the graph of the batch that they belong to."""
        return Groups.from_ptr(
            self.ptr[[0, -1]] if self.graph_ptr is None else self.ptr[self.graph_ptr], self.num_edges
        )

    @property
    def num_graphs(self) -> int:
        return 1 if self.graph_ptr is None else len(self.graph_ptr) - 1

    def extras(self, device: torch.device | None = None) -> Extras:
        def there(x: Tensor | None) -> Tensor | None:
            return x if x is None or device is None else x.to(device)

        return {"graph_ptr": there(self.graph_ptr), "edge_attr": there(self.edge_attr)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(nodes={self.num_nodes}, edges={self.num_edges}, device={str(self.device)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles without what is cached: torch can do neither with sparse CSR tensors."""
        return _remade, (type(self), (self.ptr, self.source, self.target, self.order), self.extras())


def _remade(cls: type[Structure], arrays: tuple[Tensor, ...], extras: Extras) -> Structure:
    return cls(*arrays, **extras)


def joined_extras(parts: Sequence[Structure]) -> Extras:
    """Of the union of structures, one after another; a part that does not tell its graphs is one.

    Raises:
        DataError: some have features of edges and some have not.
    """
    bounds = [torch.tensor([0, p.num_nodes], device=p.device) if p.graph_ptr is None else p.graph_ptr for p in parts]
    ptr = F.pad(torch.cat([part.diff() for part in bounds]).cumsum(0), (1, 0))
    attrs = [part.edge_attr for part in parts]
    with_attr = [attr for attr in attrs if attr is not None]
    if with_attr and len(with_attr) < len(attrs):
        raise DataError(
            f"{len(with_attr)} of {len(attrs)} graphs have features of edges. Where: Adjacency.disjoint. Give them to "
            "all or to none."
        )
    return {"graph_ptr": ptr, "edge_attr": torch.cat(with_attr) if with_attr else None}
