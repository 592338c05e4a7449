"""Export students of Cora, and say what the exported folders are worth: parity, accuracy, int8, latency.

    python benchmarks/deploy.py [--update]

Trains a GCN, SAGE, GAT, GIN and MLP (one seed, their recommended settings) into runs/deploy, exports each with 8-bit
weights beside, checks the folder with `verify`, and scores the predictions of the runtime on the test nodes: they must
be those of the run. Writes benchmarks/results/deploy/cora.json; --update puts the table into docs/deploy.md.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from graphstill import datasets
from graphstill.allocator import recycle_large_buffers
from graphstill.deploy import bench_table
from graphstill.deploy.export import export
from graphstill.engine import train
from graphstill.environment import environment
from graphstill.nn import make_model
from graphstill.report import update
from graphstill.runtime import Features, Graph, Predictor, verify

HERE = Path(__file__).parent
RESULT = HERE / "results" / "deploy" / "cora.json"
#: Of `graphstill bench RUN --rounds 30 --pyg --out FILE`, the run being that of recipes/kd-small-cora.yaml.
BENCH = HERE / "results" / "deploy" / "kd-small-cora.json"
MODELS = ({"name": "gcn"}, {"name": "sage"}, {"name": "gat"}, {"name": "gin"}, {"name": "mlp"})


def measured(model: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One network: trained, exported, checked, scored."""
    task = datasets.load("cora")
    run = train(make_model(**model), task, seeds=1, directory=folder / "run", resume=True)
    out = export(run, folder / "student", task=task, int8="dynamic", overwrite=True)
    report = verify(out)
    x = task.full_batch().x
    assert not isinstance(x, torch.Tensor)
    sparse = Features(x.values.numpy(), x.indices.numpy(), x.ptr.numpy(), tuple(x.shape))
    graph = Graph(task.full_batch().graph.edge_index().numpy(), task.num_nodes)
    opened = task.test.open(f"{run.name}-exported", "validation accuracy, by the run")
    scores, partly = {}, {}
    for engine in ("onnx", "split"):
        predictor = Predictor(out, engine=engine)
        over = graph if predictor.needs_graph else None
        logits = predictor.logits(sparse, over)
        scores[engine] = float(opened.score(torch.from_numpy(logits)[None])[0])
        some = np.arange(0, task.num_nodes, 97)
        partly[engine] = float(np.abs(predictor.logits(sparse, over, nodes=some) - logits[some]).max())
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    exact = [case for engine in ("onnx", "split") for case in manifest["parity"]["every"][engine]]
    return {
        "model": model["name"],
        "parameters": run.result["parameters"],
        "run_test": run.test["accuracy"].mean,
        "runtime_test": scores,
        "nodes_alone": partly,
        "verified": report.ok,
        "parity": {
            "cases": len(exact),
            "difference": max(case["difference"] for case in exact),
            "agreement": min(case["agreement"] for case in exact),
        },
        "bytes": {name: entry["bytes"] for name, entry in manifest["files"].items()},
        **{key: manifest[key] for key in ("engine", "timing", "int8")},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recycle_large_buffers()
    rows = [measured(model, Path("runs") / "deploy" / model["name"]) for model in MODELS]
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"dataset": "cora", "rows": rows, "environment": environment()}, indent=1) + "\n")
    print(json.dumps(rows, indent=1))
    if arguments.update:
        page = HERE.parent / "docs" / "deploy.md"
        update(page, table(rows), "deploy")
        update(page, bench_text(json.loads(BENCH.read_text("utf-8"))), "bench")


def bench_text(found: dict[str, Any]) -> str:
    """What `graphstill bench` prints, as a block."""
    console = Console(width=118, file=io.StringIO(), record=True)
    console.print(bench_table.table(found))
    return "```text\n" + "\n".join(line.rstrip() for line in console.export_text().splitlines()) + "\n```"


HEADER = (
    "student",
    "parameters",
    "test accuracy, run = runtime",
    "worst difference",
    "ms a full pass: onnx / split / int8",
    "KiB: float / int8",
    "validation accuracy: float / int8",
)


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown; raises where the runtime's accuracy is not the run's."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for row in rows:
        if any(abs(score - row["run_test"]) > 1e-6 for score in row["runtime_test"].values()) or not row["verified"]:
            raise SystemExit(f"{row['model']}: the runtime is not the run: {row['runtime_test']}, {row['run_test']}")
        times, int8 = row["timing"]["milliseconds"], row["int8"]
        cells = (
            row["model"],
            f"{row['parameters']:,}",
            f"{100 * row['run_test']:.1f}",
            f"{row['parity']['difference']:.1e} in {row['parity']['cases']} cases",
            " / ".join(f"{times[engine]:.1f}" for engine in ("onnx", "split", "int8")),
            f"{int8['bytes_float'] / 1024:.0f} / {int8['bytes'] / 1024:.0f}",
            f"{100 * int8['validation_float']:.1f} / {100 * int8['validation']:.1f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
