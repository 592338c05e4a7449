"""One member on Cora and PubMed: a training step, and a whole run with its validation."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.speed import count, handmade, ours, pyg
from benchmarks.speed.case import OURS, Built, Step, case
from benchmarks.speed.count import Work
from torch import nn

from graphstill import datasets
from graphstill.data import NodeTask
from graphstill.engine import Training, train
from graphstill.nn import GAT, GCN, GCNII, GraphSAGE, Model
from graphstill.ops import SparseFeatures

#: Epochs of a whole run: enough that setting up is a small part of it, as in a real one.
EPOCHS = 40

Kind = tuple[Model, Callable[[NodeTask], nn.Module], Callable[[NodeTask], Work]]


def stored(task: NodeTask) -> int:
    return task.x.nnz if isinstance(task.x, SparseFeatures) else task.x.numel()


def looped_edges(task: NodeTask) -> int:
    return task.training_batches(0)[0].graph.with_self_loops().num_edges


def gcn_kind(width: int) -> Kind:
    return (
        GCN(hidden=width),
        lambda t: pyg.gcn(t.in_features, width, t.num_outputs),
        lambda t: count.gcn(t.num_nodes, looped_edges(t), stored(t), [t.in_features, width, t.num_outputs]),
    )


KINDS: dict[str, Kind] = {
    "gcn-16": gcn_kind(16),
    "gcn-64": gcn_kind(64),
    "sage-64": (
        GraphSAGE(hidden=64),
        lambda t: pyg.sage(t.in_features, 64, t.num_outputs),
        lambda t: count.sage(t.num_nodes, t.num_edges, stored(t), [t.in_features, 64, t.num_outputs]),
    ),
    "gat-8x8": (
        GAT(),
        lambda t: pyg.gat(t.in_features, 8, 8, t.num_outputs),
        lambda t: count.gat(t.num_nodes, looped_edges(t), stored(t), t.in_features, [(8, 8), (1, t.num_outputs)], True),
    ),
    "gcnii-64x16": (
        GCNII(),
        lambda t: pyg.DeepNetwork(t.in_features, 64, 16, t.num_outputs, 0.6),
        lambda t: count.gcnii(t.num_nodes, looped_edges(t), stored(t), t.in_features, 64, 16, t.num_outputs),
    ),
}


def paths(task: NodeTask, kind: Kind) -> dict[str, Callable[[], Step]]:
    model, network, _ = kind

    def baseline() -> Step:
        return pyg.training_step(pyg.Data(task), [network(task)])

    return {OURS: lambda: ours.training_step(ours.loop(task, model)), "PyG": baseline}


def define(data: str, name: str) -> None:
    @case(f"{name}/{data}", f"{name} on {data}, one member")
    def step() -> Built:
        task = datasets.load(data)
        found = paths(task, KINDS[name])
        if name in ("gcn-64", "gcn-16") and data == "cora":
            found["by hand"] = lambda: handmade.HandmadeGCN(task, int(name[4:]))
        return Built(found, KINDS[name][2](task))


def define_run(data: str, epochs: int) -> None:
    @case(
        f"run/{data}", f"GCN-64 on {data}, {epochs} epochs each with validation, from the loaded data",
        unit="run", rounds=5, memory=False,
    )  # fmt: skip
    def run() -> Built:
        task = datasets.load(data)

        def whole() -> object:
            training = Training(epochs=epochs, lr=0.005, weight_decay=5e-4)
            return train(GCN(hidden=64), task, training=training)

        def baseline() -> None:
            held = pyg.Data(task)
            step = pyg.training_step(held, [pyg.gcn(task.in_features, 64, task.num_outputs)], validate=True)
            for _ in range(epochs):
                step()

        return Built({OURS: lambda: whole, "PyG": lambda: baseline})


for data in ("cora", "pubmed"):
    for name in KINDS:
        define(data, name)
define_run("cora", EPOCHS)
define_run("pubmed", EPOCHS // 4)
