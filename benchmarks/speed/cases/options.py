"""What is off by default: lower precision, and torch.compile, which runs when named only (it takes tens of seconds)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from benchmarks.speed import graphs, ours, pyg
from benchmarks.speed.case import OURS, Built, Step, case
from benchmarks.speed.cases.citation import KINDS
from benchmarks.speed.cases.large import power_law_task

from graphstill import datasets
from graphstill.data import NodeTask
from graphstill.nn import GAT, GCN, GraphSAGE, Model


def define_compiled(name: str, data: str) -> None:
    @case(f"compile-{name}/{data}", f"torch.compile of {name} on {data}", rounds=3, optional=True, memory=False)
    def compiled() -> Built:
        task = datasets.load(data) if data != "ppi" else graphs.ppi_sized()
        model, network, _ = KINDS[name]

        def ours_compiled() -> Step:
            held = ours.loop(task, model)
            for block in held.group.blocks:
                block.cohort.network = torch.compile(block.cohort.network)  # type: ignore[method-assign,union-attr]
            return ours.training_step(held)

        def theirs(compiles: bool) -> Step:
            student = network(task)
            return pyg.training_step(pyg.Data(task), [torch.compile(student) if compiles else student])

        return Built(
            {
                OURS: lambda: ours.training_step(ours.loop(task, model)),
                "compiled": ours_compiled,
                "PyG": lambda: theirs(False),
                "PyG compiled": lambda: theirs(True),
            }
        )


define_compiled("gcn-64", "cora")
define_compiled("gat-8x8", "cora")


def define_lowered(name: str, what: str, task: Callable[[], NodeTask], model: Model) -> None:
    @case(f"bf16-{name}", f"training.precision: bfloat16, {what}", rounds=5)
    def lowered() -> Built:
        data = task()
        return Built(
            {
                OURS: lambda: ours.training_step(ours.loop(data, model)),
                "bfloat16": lambda: ours.training_step(ours.loop(data, model, precision="bfloat16")),
            }
        )


define_lowered("gcn-64/cora", "GCN-64 on Cora", lambda: datasets.load("cora"), GCN(hidden=64))
define_lowered("gcn-64/pubmed", "GCN-64 on PubMed", lambda: datasets.load("pubmed"), GCN(hidden=64))
define_lowered("gcn-64/wordnet30", "GCN-64 on WordNet", lambda: datasets.load("wordnet30"), GCN(hidden=64))
define_lowered("sage-256/ppi", "GraphSAGE, 3 layers of 256", graphs.ppi_sized, GraphSAGE(hidden=256, layers=3))
define_lowered("gat-4x256/ppi", "GAT, 3 layers of 4 x 256", graphs.ppi_sized, GAT(hidden=256, heads=4, layers=3))
define_lowered("gcn-128/power-law", "GCN-128 on 170k nodes, 2.3M edges", power_law_task, GCN(hidden=128))
