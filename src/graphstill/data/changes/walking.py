"""Data of which training sees subgraphs, drawn anew in each epoch."""

from __future__ import annotations

from graphstill.data.taskdata import TEST, TaskData
from graphstill.data.walks import Walks
from graphstill.errors import ConfigError


def with_walks(data: TaskData, roots: int, length: int = 2) -> TaskData:
    """The same data, drawn by random walks. See `NodeTask.with_walks`.

    Raises:
        ConfigError: numbers out of their range, data of several graphs, or more batches than training nodes.
    """
    whole = all(isinstance(number, int) and not isinstance(number, bool) for number in (roots, length))
    if not whole or roots < 1 or length < 0:
        raise ConfigError(f"roots={roots}, length={length} in with_walks: walks a batch from 1 up, steps from 0 up")
    if data.graph_ptr is not None:
        raise ConfigError(
            f"with_walks of task {data.facts.name!r}, which is one of several graphs: set batch_graphs, the graphs a "
            "batch"
        )
    walks = Walks(roots, length)
    nodes = int((data.part != TEST).sum()) if data.inductive else data.nodes
    if walks.count(nodes) > len(data.train):
        raise ConfigError(
            f"roots={roots} in with_walks of task {data.facts.name!r}: {walks.count(nodes)} batches an epoch of "
            f"{nodes} "
            f"nodes, but only {len(data.train)} of them have a training label, and each batch needs one; give at "
            f"least {-(-nodes // len(data.train))} roots"
        )
    return data.changed(walks=walks)
