"""Products of per-head edge weights [E, K] with per-head features [N, K, D]: the two ways that attention runs them."""

from __future__ import annotations

from torch import Tensor

from graphstill.ops.adjacency import Adjacency
from graphstill.ops.spmm import sampled_product

# Bytes of one member's features up to which all heads run in one product: about what stays in the caches of a CPU core.
# PubMed, 5 MB, a step of a GAT of 8 x 8: 68 ms so, 78 head by head; 20 MB, 8 x 32: 201 and 194.
TOGETHER = 8 * 2**20


def heads(graph: Adjacency, value: Tensor) -> Together | OneByOne:
    """The faster of the two for value [N, K, D]: together for small graphs (twice as fast) and on GPU."""
    small = value.is_cuda or value.numel() * value.element_size() <= TOGETHER
    return Together(graph, value.shape[1]) if small and value.shape[1] > 1 else OneByOne(graph)


class Together:
    """All heads as one graph of N * K nodes: node i * K + k is head k of node i, as it lies in memory."""

    def __init__(self, graph: Adjacency, count: int) -> None:
        self.graph = graph.repeated(count)

    def aggregate(self, weights: Tensor, value: Tensor, out: Tensor, scale: float) -> None:
        """out[i, k] = scale * sum over edges into i of weights[e, k] * value[source_e, k]."""
        values = weights.reshape(-1).index_select(0, self.graph.order)
        out.copy_(self.graph.product(values, value.flatten(0, 1)[None], scale)[0].view_as(out))

    def distribute(self, weights: Tensor, value: Tensor, out: Tensor, scale: float) -> None:
        """The same along the reversed edges, to the sources from value[target_e, k]."""
        values = weights.reshape(-1).index_select(0, self.graph.order_by_source)
        out.copy_(self.graph.transposed.product(values, value.flatten(0, 1)[None], scale)[0].view_as(out))

    def products(self, rows: Tensor, columns: Tensor) -> Tensor:
        """<rows[target_e, k], columns[source_e, k]>: [E, K]."""
        out = rows.new_zeros(self.graph.num_edges)
        sampled_product(self.graph, rows.flatten(0, 1), columns.flatten(0, 1), out)
        return out.index_select(0, self.graph.position).view(-1, rows.shape[1])


class OneByOne:
    """A product a head, each small enough for the cache; features are read where they lie, with a stride."""

    def __init__(self, graph: Adjacency) -> None:
        self.graph = graph

    def aggregate(self, weights: Tensor, value: Tensor, out: Tensor, scale: float) -> None:
        for k, values in enumerate(weights.t().contiguous()):
            out[:, k] = self.graph.product(values, value[None, :, k], scale)[0]

    def distribute(self, weights: Tensor, value: Tensor, out: Tensor, scale: float) -> None:
        by_source = weights.t().contiguous().index_select(1, self.graph.t_order)
        for k, values in enumerate(by_source):
            out[:, k] = self.graph.transposed.product(values, value[None, :, k], scale)[0]

    def products(self, rows: Tensor, columns: Tensor) -> Tensor:
        out = rows.new_zeros(rows.shape[1], self.graph.num_edges)
        for k, result in enumerate(out):
            sampled_product(self.graph, rows[:, k], columns[:, k], result)
        return out.t().contiguous()
