"""Data without a share of their edges, for studies of changing graphs."""

from __future__ import annotations

from graphstill.data import hashing
from graphstill.data.batches import thinned_graph
from graphstill.data.changes.positions import refuse_positions
from graphstill.data.splits import stream
from graphstill.data.taskdata import TaskData
from graphstill.errors import ConfigError


def without_edges(data: TaskData, share: float, seed: int = 0) -> TaskData:
    """Both directions of an edge go together; a self-loop counts as one edge. See `NodeTask.without_edges`.

    Raises:
        ConfigError: share is not from 0 up to but excluding 1, or the data have positions made from these edges.
    """
    if not 0 <= share < 1:
        raise ConfigError(f"share={share} in without_edges: it is a share of the edges, from 0 up to but excluding 1")
    refuse_positions(data)
    graph = thinned_graph(data.graph, share, stream(seed, "removed edges"))
    return data.changed(
        {"edges": hashing.edges_digest(graph)},
        graph=graph,
        facts=data.told(edges_removed=(*data.facts.edges_removed, {"share": share, "seed": seed})),
    )
