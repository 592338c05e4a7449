"""python -m benchmarks.graphs: training on molecules in graphs a second, against the same network in idiomatic PyG.

GINE of 5 layers x 64 with OGB's encoders, batches of 128 graphs, forward, loss, backward, Adam; one thread, the sides
in turns in one process, medians of CPU time. What takes the batches apart and together again is in the time of both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import graphstill as gs
from graphstill.data.molecules import ATOMS, BONDS
from graphstill.engine.group import Group
from graphstill.engine.optim import make_optimizer
from graphstill.environment import environment
from graphstill.losses import supervised

BATCH, BATCHES, HIDDEN, LAYERS, MEMBERS = 128, 20, 64, 5, 8
RESULT = Path(__file__).parent / "results" / "speed" / "graphs.json"


def ours(task: gs.GraphTask, members: int) -> Callable[[], None]:
    model = gs.models.GINE(hidden=HIDDEN, layers=LAYERS, readout="mean", edge_codes=task.data.edge_codes)
    seeds = list(range(members))
    group = Group([model], task.in_features, task.num_outputs, seeds, False, torch.device("cpu"))
    (block,) = group.blocks
    optimizer = make_optimizer(gs.Training(lr=1e-3), list(block.cohort.named_parameters()), members, 1)

    def run() -> None:
        batches = task.training_batches(0)
        for number in range(BATCHES):
            batch = batches[number]
            loss = supervised(block.train_output(batch, number).logits, batch.y, task.multi_label).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            block.changed()

    return run


class Tables(nn.Module):
    """One embedding a column, added up."""

    def __init__(self, counts: tuple[int, ...]) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(count, HIDDEN) for count in counts)

    def forward(self, codes: Tensor) -> Tensor:
        return torch.stack([table(codes[:, i]) for i, table in enumerate(self.tables)]).sum(0)


class PyGNetwork(nn.Module):
    """The network as PyG's users write it."""

    def __init__(self, outputs: int) -> None:
        from torch_geometric.nn import GINEConv

        super().__init__()
        self.atoms, self.bonds = Tables(ATOMS), nn.ModuleList(Tables(BONDS) for _ in range(LAYERS))
        self.convs = nn.ModuleList(
            GINEConv(
                nn.Sequential(
                    nn.Linear(HIDDEN, 2 * HIDDEN), nn.BatchNorm1d(2 * HIDDEN), nn.ReLU(), nn.Linear(2 * HIDDEN, HIDDEN)
                ),
                train_eps=True,
            )
            for _ in range(LAYERS)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(HIDDEN) for _ in range(LAYERS))
        self.head = nn.Linear(HIDDEN, outputs)

    def forward(self, data: Any) -> Tensor:
        from torch_geometric.nn import global_mean_pool

        h = self.atoms(data.x)
        for number, (conv, bonds, norm) in enumerate(zip(self.convs, self.bonds, self.norms, strict=True)):
            h = norm(conv(h, data.edge_index, bonds(data.edge_attr)))
            h = F.dropout(h if number == LAYERS - 1 else h.relu(), 0.5, self.training)
        logits: Tensor = self.head(global_mean_pool(h, data.batch))
        return logits


def pyg(task: gs.GraphTask) -> Callable[[], None]:
    from torch_geometric.data import Data
    from torch_geometric.loader import DataLoader

    graphs = []
    for number in task.train_index[: BATCH * BATCHES]:
        one = task.plain_batch(number.view(1))
        codes = _codes(one.x.to_dense(), ATOMS)
        graphs.append(Data(codes, one.graph.edge_index(), one.graph.edge_attr, y=one.y))
    loader = DataLoader(graphs, batch_size=BATCH, shuffle=True)
    network = PyGNetwork(task.num_outputs)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)

    def run() -> None:
        for data in loader:
            logits, known = network(data), ~torch.isnan(data.y)
            loss = F.binary_cross_entropy_with_logits(logits[known], data.y[known])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


def _codes(ones: Tensor, counts: tuple[int, ...]) -> Tensor:
    return torch.stack([part.argmax(1) for part in ones.split(list(counts), 1)], 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="mol-hiv")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = gs.datasets.load_graphs(arguments.task, batch_size=BATCH)
    sides = {"pyg": pyg(task), "one network": ours(task, 1), f"{MEMBERS} networks": ours(task, MEMBERS)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds + 1):
        for name, run in sides.items():
            begun = time.process_time()
            run()
            seconds[name].append(time.process_time() - begun)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    trained = {name: MEMBERS if name.startswith(str(MEMBERS)) else 1 for name in sides}
    rates = {name: BATCH * BATCHES * trained[name] / value for name, value in medians.items()}
    for name, rate in rates.items():
        print(f"{name:12} {rate:8.0f} graphs/s  {rate / rates['pyg']:.2f}")
    found = {
        "task": arguments.task,
        "what": __doc__,
        "cpu_seconds": seconds,
        "graphs_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "ratio": {name: round(rate / rates["pyg"], 3) for name, rate in rates.items()},
        "environment": environment(),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
