"""Reference levels: well-known networks on the public splits, ten seeds, selected by validation.

    python benchmarks/reference.py [NAME ...]

Writes benchmarks/results/reference/NAME.json, the run's result.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from graphstill import datasets
from graphstill.allocator import recycle_large_buffers
from graphstill.engine import train
from graphstill.nn import GAT, GCN, Model

RESULTS = Path(__file__).parent / "results" / "reference"
CASES: dict[str, tuple[Model, str]] = {
    "gcn-cora": (GCN(hidden=64, dropout=0.5), "cora"),
    "gcn-citeseer": (GCN(hidden=64, dropout=0.5), "citeseer"),
    "gcn-pubmed": (GCN(hidden=64, dropout=0.5), "pubmed"),
    "gat-cora": (GAT(), "cora"),
}


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    recycle_large_buffers()
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        model, dataset = CASES[name]
        run = train(model, datasets.load(dataset), seeds=10, name=name)
        (RESULTS / f"{name}.json").write_text(json.dumps(run.result) + "\n")
        print(run, f"{run.result['cost']['cpu_seconds']} CPU s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or list(CASES))
