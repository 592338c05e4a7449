"""Tasks made from a task, for studies of changing graphs and of transfer. Each is a method of NodeTask."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from graphstill.data import hashing
from graphstill.data.batches import isolated_graph, thinned_graph
from graphstill.data.splits import stream
from graphstill.data.validation import announce_absent
from graphstill.errors import ConfigError
from graphstill.typed import typed

if TYPE_CHECKING:
    from graphstill.data.task import NodeTask


@typed
def without_edges(task: NodeTask, share: float, seed: int = 0) -> NodeTask:
    """A copy without a share of the edges, for studies of changing graphs; both directions of an edge go together.

    Args:
        share: of the undirected edges (a self-loop counts as one), from 0 up to but excluding 1.
        seed: of the choice; the same seed with a larger share removes a superset.

    Returns:
        A task with its own hash and its own record of test openings; its `origin` is the whole task.
    """
    if not 0 <= share < 1:
        raise ConfigError(f"share={share} in without_edges: it is a share of the edges, from 0 up to but excluding 1")
    old = task._views
    graph = thinned_graph(old.graph, share, stream(seed, "removed edges"))
    changed = task._derive(
        replace(old, graph=graph),
        edges=hashing.edges_digest(graph),
    )
    changed.origin = task.origin or task
    changed._edges_removed = [*task._edges_removed, {"share": share, "seed": seed}]
    return changed


@typed
def without_train_nodes(task: NodeTask, share: float, seed: int = 0) -> NodeTask:
    """A copy in which a share of the training nodes has neither label nor edges; they stay as rows of x.

    Yang, Wu, Yan, Geometric Knowledge Distillation, NeurIPS 2022: its node-aware setting removes half of them.

    Args:
        share: of the training nodes, from 0 up to but excluding 1; at least one is left.
        seed: of the choice; the same seed with a larger share removes a superset.

    Returns:
        A task with its own hash and its own record of test openings; its `origin` is the whole task. Validation and
        test are the same.
    """
    count = round(share * len(task.train_index)) if 0 <= share < 1 else -1
    if not 0 <= count < len(task.train_index):
        raise ConfigError(
            f"share={share} in without_train_nodes: it is a share of the {len(task.train_index)} training nodes, "
            "from 0 up to but excluding 1, that leaves at least one"
        )
    drawn = torch.from_numpy(stream(seed, "removed training nodes").permutation(len(task.train_index))[:count])
    kept = torch.ones(len(task.train_index), dtype=torch.bool)
    kept[drawn] = False
    kept = kept.to(task.train_index.device)
    gone, old = task.train_index[~kept], task._views
    y, part = old.y.clone(), old.part.clone()
    y[gone], part[gone] = (float("nan") if task.multi_label else -1), 0
    graph, train = isolated_graph(old.graph, gone), task.train_index[kept]
    announce_absent(y[train], task.num_outputs, f"{task.split}, {share:g} of the training nodes removed")
    ptr = [] if old.graph_ptr is None else [old.graph_ptr]
    changed = task._derive(
        replace(old, graph=graph, y=y, part=part),
        edges=hashing.edges_digest(graph),
        labels=task.test._labels_digest(y[train], y[task.val_index]),
        split=hashing.arrays_digest(train, task.val_index, task.test_index, *ptr),
    )
    changed.train_index, changed.origin = train, task.origin or task
    changed._train_removed = [*task._train_removed, {"share": share, "seed": seed}]
    return changed


@typed
def with_shuffled_labels(task: NodeTask, seed: int = 0) -> NodeTask:
    """A copy in which training nodes have each other's labels, and validation nodes too: nothing is left to learn.

    The control of a transfer study (Kooverjee, James, van Zyl 2022): what a network trained on it brings to another
    task comes from features, edges and class sizes, not from labels. Test labels stay as they are, so that its test
    figure means nothing.

    Returns:
        A task with its own hash and its own record of test openings, and no `origin`.
    """
    old, generator = task._views, stream(seed, "shuffled labels")
    y = old.y.clone()
    for index in (task.train_index, task.val_index):
        order = torch.from_numpy(generator.permutation(len(index))).to(index.device)
        y[index] = old.y[index[order]]
    changed = task._derive(
        replace(old, y=y),
        labels=task.test._labels_digest(y[task.train_index], y[task.val_index]),
    )
    changed.origin, changed._labels_shuffled = None, seed
    return changed
