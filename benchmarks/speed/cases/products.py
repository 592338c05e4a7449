"""The sparse product alone, forward and backward, against PyG's ways and against what must be moved."""

from __future__ import annotations

from collections.abc import Callable

import torch
from benchmarks.speed import count, graphs
from benchmarks.speed.case import OURS, Built, Step, case
from torch import Tensor
from torch_geometric import EdgeIndex

from graphstill import datasets
from graphstill.data import NodeTask
from graphstill.ops import spmm

#: Both products of a step without autograd around them.
ALONE = "ours, the kernels alone"


def define(name: str, load: Callable[[], NodeTask], width: int, rounds: int) -> None:
    @case(f"product-{width}/{name}", f"A x, {width} wide, {name}", unit="forward and backward", rounds=rounds)
    def product() -> Built:
        graph = load().training_batches(0)[0].graph.with_self_loops()
        nodes, edges = graph.num_nodes, graph.num_edges
        weights = graph.gcn_weights(torch.float32)
        torch.manual_seed(0)
        x, out_grad = torch.randn(nodes, width).requires_grad_(), torch.randn(nodes, width)

        def timed(product: Callable[[], Tensor]) -> Step:
            return lambda: torch.autograd.grad(product(), x, out_grad)

        def scatter() -> Step:
            (source, target), column = graph.edge_index(), weights.values[:, None]
            index = target[:, None].expand(-1, width)
            return timed(
                lambda: torch.zeros(nodes, width).scatter_add(0, index, x.index_select(0, source) * column)
            )  # fmt: skip

        def alone() -> Step:
            return lambda: (graph.product(weights, x[None]), graph.transposed_product(weights, out_grad[None]))

        def edge_index() -> Step:
            # PyG's own fast product wants edges sorted by row; what it multiplies by is the transpose of what it holds.
            flipped = EdgeIndex(graph.edge_index().flip(0), sparse_size=(nodes, nodes), sort_order="row")
            flipped.fill_cache_()
            return timed(lambda: flipped.matmul(x, weights.values))

        return Built(
            {
                OURS: lambda: timed(lambda: spmm(graph, weights, x)),
                "PyG": scatter,
                "PyG EdgeIndex": edge_index,
                ALONE: alone,
            },
            2 * count.spmm(edges, nodes, width),
            {"nodes": nodes, "edges": edges, "width": width, "working set": 4.0 * nodes * width},
        )


define("cora", lambda: datasets.load("cora"), 16, 9)
define("cora", lambda: datasets.load("cora"), 64, 9)
define("pubmed", lambda: datasets.load("pubmed"), 64, 7)
define("ppi", graphs.ppi_sized, 256, 5)
define("ppi", graphs.ppi_sized, 1024, 3)
define("power-law", lambda: graphs.random_task(170_000, 2_300_000, 8, 40), 128, 3)
