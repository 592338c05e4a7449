"""How time and memory grow with nodes, edges, width and members. Generated graphs, and the map of GitHub."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
from benchmarks.speed import count, graphs, ours, pyg
from benchmarks.speed.case import OURS, Built, case
from benchmarks.speed.cases.citation import looped_edges

from graphstill.data import NodeTask
from graphstill.nn import GCN

FEATURES, CLASSES, DEGREE, WIDTH = 64, 16, 14, 64
#: Above so many numbers in the messages of a layer PyG is left out: it would need most of the machine's memory.
PYG_UP_TO = 400_000_000


def define(curve: str, value: int, task_of: tuple[int, int] | None, width: int = WIDTH, members: int = 1) -> None:
    @case(
        f"scaling-{curve}/{value}", f"GCN, {curve} {value:,}", rounds=3 if value < 300_000 else 2,
    )  # fmt: skip
    def step() -> Built:
        task = github() if task_of is None else random(*task_of)
        edges = looped_edges(task)
        widths = [task.in_features, width, task.num_outputs]
        paths = {OURS: lambda: ours.training_step(ours.loop(task, GCN(hidden=width), seeds=members))}
        if edges * width <= PYG_UP_TO:
            paths["PyG"] = lambda: pyg.training_step(
                pyg.Data(task), [pyg.gcn(FEATURES, width, CLASSES) for _ in range(members)]
            )
        sizes = {"nodes": task.num_nodes, "edges": task.num_edges, "width": width, "members": members}
        return Built(paths, members * count.gcn(task.num_nodes, edges, task.num_nodes * FEATURES, widths), sizes)


@cache
def random(nodes: int, edges: int) -> NodeTask:
    return graphs.random_task(nodes, edges, FEATURES, CLASSES)


@cache
def github() -> NodeTask:
    """Structure of the map of GitHub; the features are random, the labels too."""
    with np.load(Path(os.environ["GRAPHSTILL_DATA"]) / "graphs" / "map-of-github.npz") as held:
        edges = held["edge_index"]
    return graphs.random_task(int(edges.max()) + 1, edges, FEATURES, CLASSES)


for nodes in (1000, 4000, 16_000, 64_000, 256_000):
    define("nodes", nodes, (nodes, nodes * DEGREE))
define("nodes", 689_517, None)
for edges in (64_000, 256_000, 1_024_000, 4_096_000):
    define("edges", edges, (32_000, edges))
for width in (8, 32, 128, 512):
    define("width", width, (16_000, 16_000 * DEGREE), width)
for members in (1, 2, 4, 8, 16):
    define("members", members, (4000, 4000 * DEGREE), 16, members)
