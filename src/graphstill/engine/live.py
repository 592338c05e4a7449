"""A frozen teacher that is run on each batch as it comes: of images, never twice the same, or of many graphs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from graphstill.data import Batch
from graphstill.method import View
from graphstill.nn import Cohort, Hidden
from graphstill.ops import Adjacency

#: Images in one pass: an evaluation pass over more keeps no hidden features.
CHUNK = 256
PLACES = ("pre", "post", "dropped")


@dataclass
class LiveTeacher:
    """T networks in evaluation mode: T = 1 (one teacher for all runs) or one for each run.

    It stands where a table (`Knowledge`) cannot: the outputs are computed for each batch, without gradient.
    """

    cohort: Cohort
    task_hash: str | None
    source: dict[str, Any]
    #: Whether the networks teach together, by the mean of their probabilities.
    ensemble: bool = False
    #: No outputs on perturbed features are at hand.
    sensitivity: None = None
    multi_label: bool = False
    _last: tuple[Batch, View] | None = None

    @property
    def teachers(self) -> int:
        return 1 if self.ensemble else self.cohort.members

    @property
    def has_hidden(self) -> bool:
        return not self.ensemble

    def view(self, batch: Batch, peers: int) -> View:
        """The teacher's view of a batch, its rows one for each member (or one for all); the newest is kept."""
        if self._last is None or self._last[0] is not batch:
            self._last = (batch, self.outputs(batch, peers))
        return self._last[1]

    def sensitivity_of_members(self, peers: int) -> None:
        return None

    def for_runs(self, chosen: Sequence[int]) -> LiveTeacher:
        """The teachers at these positions, in this order."""
        return replace(self, cohort=self.cohort.select(chosen), _last=None)

    @torch.no_grad()
    def outputs(self, batch: Batch, peers: int) -> View:
        """The view of a batch, computed anew."""
        if batch.pieces or batch.graphs is not None:
            outputs = [self.cohort(piece.x, piece.graph) for piece in batch.pieces or (batch,)]
        else:
            assert isinstance(batch.x, Tensor)
            outputs = [self.cohort(x, no_edges(len(x), x.device)) for x in batch.x.split(CHUNK)]
        if self.ensemble:
            together = ensemble(torch.cat([out.logits for out in outputs], 1), self.multi_label)
            return View(together, [], batch.graph, batch.nodes, items=batch.items)

        def whole(parts: Sequence[Tensor]) -> Tensor:
            x = parts[0] if len(parts) == 1 else torch.cat(tuple(parts), 1)
            return x if x.shape[0] == 1 or peers == 1 else x.repeat_interleave(peers, 0)

        layers = zip(*(out.hidden for out in outputs), strict=True)
        hidden = [Hidden(*(whole([getattr(h, place) for h in layer]) for place in PLACES)) for layer in layers]
        return View(whole([out.logits for out in outputs]), hidden, batch.graph, batch.nodes, items=batch.items)


def ensemble(logits: Tensor, multi_label: bool = False) -> Tensor:
    """Logits of the mean probability of all networks: [T, N, C] -> [1, N, C]."""
    if multi_label:
        return torch.logit(logits.sigmoid().mean(0, keepdim=True), eps=1e-7)
    return logits.log_softmax(-1).logsumexp(0, keepdim=True) - math.log(len(logits))


def no_edges(nodes: int, device: torch.device) -> Adjacency:
    return Adjacency.from_edge_index(torch.zeros(2, 0, dtype=torch.int64, device=device), nodes)
