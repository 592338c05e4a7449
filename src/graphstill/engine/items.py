"""Whether a network answers for the items of a task."""

from __future__ import annotations

from torch import Tensor

from graphstill.data import Batch
from graphstill.errors import ConfigError


def check_items(logits: Tensor, batch: Batch, who: object) -> None:
    """Raises ConfigError where logits [M, rows, C] have not one row an item of the batch."""
    if logits.shape[1] != len(batch.items):
        what = "nodes" if batch.graphs is None else "graphs"
        raise ConfigError(
            f"{who} gives {logits.shape[1]} rows of outputs for a batch of {len(batch.items)} {what} "
            f"({len(batch.nodes)} "
            f"nodes): the items of this task are {what}; "
            + ("leave its pooling out" if batch.graphs is None else "pool the nodes of each graph, by `batch`")
        )
