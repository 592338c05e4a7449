"""Data in which a share of the training nodes has neither label nor edges."""

from __future__ import annotations

import torch

from graphstill.data import hashing
from graphstill.data.batches import isolated_graph
from graphstill.data.changes.positions import refuse_positions
from graphstill.data.splits import stream
from graphstill.data.taskdata import TaskData
from graphstill.data.validation import announce_absent
from graphstill.errors import ConfigError


def without_train_nodes(data: TaskData, share: float, seed: int = 0) -> TaskData:
    """The nodes stay as rows of x. See `NodeTask.without_train_nodes`.

    Raises:
        ConfigError: share leaves no training node, or the data have positions made from these edges.
    """
    count = round(share * len(data.train)) if 0 <= share < 1 else -1
    if not 0 <= count < len(data.train):
        raise ConfigError(
            f"share={share} in without_train_nodes: it is a share of the {len(data.train)} training nodes, "
            "from 0 up to but excluding 1, that leaves at least one"
        )
    refuse_positions(data)
    drawn = torch.from_numpy(stream(seed, "removed training nodes").permutation(len(data.train))[:count])
    kept = torch.ones(len(data.train), dtype=torch.bool)
    kept[drawn] = False
    kept = kept.to(data.train.device)
    gone, train, y = data.train[~kept], data.train[kept], data.y.clone()
    y[gone] = float("nan") if data.multi_label else -1
    graph = isolated_graph(data.graph, gone)
    announce_absent(y[train], data.outputs, f"{data.facts.split}, {share:g} of the training nodes removed")
    ptr = [] if data.graph_ptr is None else [data.graph_ptr]
    return data.changed(
        {
            "edges": hashing.edges_digest(graph),
            "split": hashing.arrays_digest(train, data.val, data.test, *ptr),
        },
        graph=graph,
        y=y,
        train=train,
        facts=data.told(train_removed=(*data.facts.train_removed, {"share": share, "seed": seed})),
    )
