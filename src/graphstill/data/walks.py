"""Batches of a graph that is too large for one: the nodes that short random walks meet, and all edges between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphstill.data.batches import Batch, LazyBatches
from graphstill.data.splits import stream
from graphstill.ops.adjacency import Adjacency


@dataclass(frozen=True)
class Walks:
    """How batches are drawn; every draw is a pure function of (seed, epoch, number of the batch).

    Args:
        roots: walks a batch. length: steps of each.
    """

    roots: int
    length: int

    def batches(self, whole: Batch, epoch: int, seed: int, part: Callable[[Tensor], Batch]) -> Sequence[Batch]:
        """The batches of an epoch, made by `part` of their rows of the whole.

        In each epoch every node is the root of one walk, so that none is left out.
        """
        dealt = self._roots(whole, stream(seed, "roots of random walks", epoch))

        def make(number: int) -> Batch:
            generator = stream(seed, "steps of random walks", epoch, number)
            return part(walk(whole.graph, dealt[number], self.length, generator))

        return LazyBatches(range(len(dealt)), make)

    def count(self, nodes: int) -> int:
        """Batches an epoch, of so many nodes."""
        return -(-nodes // self.roots)

    def _roots(self, whole: Batch, generator: np.random.Generator) -> list[Tensor]:
        """Each node in one of the lists; nodes with a training label are dealt evenly, so that no list has none."""
        lists, device = self.count(len(whole.nodes)), whole.nodes.device
        labelled = torch.zeros(len(whole.nodes), dtype=torch.bool, device=device)
        labelled[whole.train_rows] = True
        groups = [group.nonzero().view(-1).cpu().numpy() for group in (labelled, ~labelled)]
        order = np.concatenate([generator.permutation(group) for group in groups])
        return [torch.from_numpy(order[i::lists].copy()).to(device) for i in range(lists)]


def walk(graph: Adjacency, roots: Tensor, length: int, generator: np.random.Generator) -> Tensor:
    """The nodes that walks against the edges meet, sorted, int64 [met]; where no edge leads in they wait."""
    starts, degrees = graph.ptr[:-1], graph.ptr.diff()
    met = [roots]
    for _ in range(length):
        at = met[-1]
        draws = torch.from_numpy(generator.random(len(at))).to(at.device)
        degree = degrees[at]
        # A draw next to 1 times a large degree may round up to it.
        edge = starts[at] + torch.minimum((draws * degree).long(), (degree - 1).clamp(min=0))
        inside = edge.clamp(max=max(graph.num_edges - 1, 0))
        met.append(torch.where(degree > 0, graph.source[inside].long(), at) if graph.num_edges else at)
    return torch.cat(met).unique()
