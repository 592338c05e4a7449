"""From the shell: imports, and the first step. Each round starts a Python of its own."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.speed.case import OURS, Built, Step, case

OUR_STEP = """
import torch; torch.set_num_threads(1)
import graphstill as gs
task = gs.datasets.load("cora")
gs.train(gs.models.GCN(hidden=64), task, training=gs.Training(epochs=1))
"""
PYG_STEP = """
import torch; torch.set_num_threads(1)
import torch.nn.functional as F
from torch_geometric.nn import GCNConv
from graphstill import datasets
task = datasets.load("cora")
x, y, edges, rows = task.x.to_dense(), task.y, task.full_batch().graph.edge_index(), task.train_index
first, second = GCNConv(1433, 64, cached=True), GCNConv(64, 7, cached=True)
optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()])
z = second(F.dropout(first(F.dropout(x), edges).relu()), edges)
F.cross_entropy(z[rows], y[rows]).backward()
optimizer.step()
"""


def run(*code: str) -> Step:
    return lambda: subprocess.run([sys.executable, *code], check=True, capture_output=True)


@case("help", "graphstill --help", unit="process", rounds=3, own_process=True, memory=False)
def usage() -> Built:
    return Built(
        {
            OURS: lambda: run("-c", "import sys; sys.argv[1:] = ['--help']; from graphstill.cli import main; main()"),
            "import torch": lambda: run("-c", "import torch"),
        }
    )


@case("import", "import of everything that training needs", unit="process", rounds=3, own_process=True, memory=False)
def imports() -> Built:
    return Built(
        {
            OURS: lambda: run("-c", "import graphstill as gs; gs.datasets, gs.models, gs.train"),
            "import torch": lambda: run("-c", "import torch"),
            "import torch_geometric": lambda: run("-c", "from torch_geometric.nn import GCNConv"),
        }
    )


@case(
    "first-step", "from an empty process to the first trained step on Cora, evaluation included",
    unit="process", rounds=3, own_process=True, memory=False,
)  # fmt: skip
def first_step() -> Built:
    """The data are loaded by the same loader on both sides."""
    return Built({OURS: lambda: run("-c", OUR_STEP), "PyG": lambda: run("-c", PYG_STEP)})
