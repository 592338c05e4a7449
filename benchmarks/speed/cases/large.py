"""Whole GCN steps on large graphs: WordNet, and a generated one of ogbn-arxiv's size."""

from __future__ import annotations

from benchmarks.speed import count, graphs, ours, pyg
from benchmarks.speed.case import OURS, Built, case
from benchmarks.speed.cases.citation import looped_edges, stored

from graphstill import datasets
from graphstill.data import NodeTask
from graphstill.nn import GCN

NODES, EDGES, FEATURES, CLASSES, WIDTH = 170_000, 2_300_000, 128, 40, 128


def power_law_task() -> NodeTask:
    return graphs.random_task(NODES, EDGES, FEATURES, CLASSES)


def built(task: NodeTask, width: int) -> Built:
    widths = [task.in_features, width, task.num_outputs]
    return Built(
        {
            OURS: lambda: ours.training_step(ours.loop(task, GCN(hidden=width))),
            "PyG": lambda: pyg.training_step(pyg.Data(task), [pyg.gcn(task.in_features, width, task.num_outputs)]),
        },
        count.gcn(task.num_nodes, looped_edges(task), stored(task), widths),
    )


@case("gcn-64/wordnet30", "GCN-64 on WordNet: 118k nodes, 368k edges, 3,863 words", rounds=2)
def wordnet() -> Built:
    return built(datasets.load("wordnet30"), 64)


@case("gcn-128/power-law", "GCN-128 on a generated graph: 170k nodes, 2.3M edges, 128 features", rounds=3)
def power_law() -> Built:
    return built(power_law_task(), WIDTH)


@case("walks/power-law", "the same graph in parts: an epoch, 9 batches of 20,000 walks", unit="epoch", rounds=3)
def walks() -> Built:
    """What random-walk batches cost and save: against the whole graph in one step, with the same code."""
    task = power_law_task()
    return Built(
        {
            OURS: lambda: ours.training_step(ours.loop(task.with_walks(20_000, 1), GCN(hidden=WIDTH))),
            "ours, whole graph": lambda: ours.training_step(ours.loop(task, GCN(hidden=WIDTH))),
        }
    )
