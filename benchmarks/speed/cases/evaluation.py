"""Evaluation in training, and inference."""

from __future__ import annotations

import torch
from benchmarks.speed import ours, pyg
from benchmarks.speed.case import OURS, Built, Step, case
from benchmarks.speed.cases.citation import KINDS

from graphstill import datasets


def define(data: str, name: str) -> None:
    @case(
        f"evaluation-{name}/{data}", f"validation of {name} on {data}: a pass, its accuracy, selection",
        unit="evaluation", memory=False,
    )  # fmt: skip
    def evaluation() -> Built:
        task = datasets.load(data)
        model, network, _ = KINDS[name]

        def baseline() -> Step:
            held, students = pyg.Data(task), [network(task)]
            return lambda: pyg.evaluate(held, students)

        return Built({OURS: lambda: ours.evaluation(ours.loop(task, model)), "PyG": baseline})


for data in ("cora", "pubmed"):
    for name in ("gcn-64", "gat-8x8"):
        define(data, name)


@case("member/cora", "one trained GCN-64 as a plain module, on dense features and a list of edges", unit="forward pass")
def member() -> Built:
    """The same call with the same arguments: both are a dense product for the most part, and ours sorts the edges.

    What it takes as it is meant to be called, on sparse features and edges sorted once, stands beside it.
    """
    task = datasets.load("cora")

    def path() -> Step:
        model = KINDS["gcn-64"][0].build(task.in_features, task.num_outputs, [0]).member(0)
        data = pyg.Data(task)
        return torch.no_grad()(lambda: model(data.x, data.edges))

    def meant() -> Step:
        model = KINDS["gcn-64"][0].build(task.in_features, task.num_outputs, [0]).member(0)
        batch = task.full_batch()
        return torch.no_grad()(lambda: model(batch.x, batch.graph))

    def baseline() -> Step:
        data, network = pyg.Data(task), KINDS["gcn-64"][1](task).eval()
        return torch.no_grad()(lambda: network(data.x, data.edges))

    return Built({OURS: path, "PyG": baseline, "ours, sparse and sorted": meant})
