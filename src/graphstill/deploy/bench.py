"""What a student costs to serve, beside the undistilled student and its teacher, all exported and timed alike."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from graphstill.data import NodeTask
from graphstill.deploy.bench_candidates import Candidate, arrays_of, candidates
from graphstill.deploy.bench_names import named
from graphstill.deploy.bench_rounds import BATCH, Eager, Samples, Timed, Times, Worker, take_turns, workers
from graphstill.deploy.energy import Energy
from graphstill.deploy.multiply_adds import multiply_adds
from graphstill.deploy.source import OwnTask, Trained, task_of
from graphstill.environment import environment
from graphstill.errors import ConfigError
from graphstill.ops import SparseFeatures
from graphstill.runtime.manifest import MODELS

NO_ENERGY = "no energy: this system has no counter that may be read"
TIMES = ("node_ms", "node_cpu_ms", "batch_ms", "batch_cpu_ms", "full_ms", "full_cpu_ms")
COSTS = ("parameters", "bytes", "multiply_adds", *TIMES, "memory_mb", "joules")
#: Where calls on one thread took this many times their CPU time, something else was running.
BUSY = 1.5


def bench(
    source: Trained | Sequence[Trained] | Mapping[str, Trained],
    *,
    task: OwnTask = None,
    threads: int = 1,
    rounds: int = 20,
    seconds: float = 0.1,
    engine: str | None = None,
    pyg: bool = False,
    root: str | Path | None = None,
) -> dict[str, Any]:
    """Measure the models of a recipe's run, or runs, exported folders and trained modules, on their full graph.

    Each model runs in a process of its own without torch. They take turns, `rounds` times, and answer for the same
    nodes; ratios are those of medians over all rounds. Features are in memory and edges sorted before the clock starts.

    Args:
        source: the directory of a recipe's run, whose parts are exported into a temporary folder, each with the engine
            that is fastest for it (or `engine`); or runs, exported folders and trained modules, by name or one after
            another, of which the first is compared with the others. A network that cannot be exported makes its full
            passes in torch, in this process.
        task: the data that all of them were trained on, checked by its hash; needed for modules and for runs without a
            recipe. None is the data set whose name the folders hold.
        threads: of each prediction.
        seconds: about how long the slowest model is measured for each kind of call in each round.
        engine: "onnx", "split" or "int8" for all of them.
        pyg: also time full passes of the same members in PyTorch Geometric, eagerly, in this process (of a recipe's
            run only).
        root: where the data is, instead of the environment variable GRAPHSTILL_DATA.

    Returns:
        Plain values: `graph`; `models`, a row each: what it is, test figures, `parameters`, `bytes` of what the engine
        reads, `multiply_adds` of a full pass; `node_ms` (one node, k hops gathered), `batch_ms` (`batch_nodes` nodes)
        and `full_ms` as p50, p95, p99 and number of samples, beside them CPU time as medians (`node_cpu_ms`, ...);
        `nodes_per_second` of full passes, `memory_mb` (graph, features, model and one full pass, above the bare
        imports), `joules` a full pass where the system counts them. `ratios`, other / first; `pyg`, full passes;
        `notes`; `environment`.

    Raises:
        ConfigError: a number below 1, no model, or an engine that one of them does not have.
        ExportError, DataError, CheckpointError: of the parts.
    """
    if threads < 1 or rounds < 1 or seconds <= 0:
        raise ConfigError(
            f"threads={threads}, rounds={rounds}, seconds={seconds:g}. Where: bench. Give numbers above 0."
        )
    sources = named(source)
    with tempfile.TemporaryDirectory(prefix="graphstill-bench-") as temporary:
        name, data, found = candidates(sources, Path(temporary), engine, root, task_of(task))
        data = data.to("cpu")
        file, arrays, energy = Path(temporary) / "graph.npz", arrays_of(data), Energy()
        np.savez(file, allow_pickle=False, **arrays)
        passes = {one.role: one.eager(data) for one in found if pyg or one.directory is None}
        calls = {role: Eager(call) for role, call in passes.items() if call is not None}
        directories = {one.role: one.directory for one in found if one.directory is not None}
        beside = {f"{role} in PyG": call for role, call in calls.items() if role in directories}
        with workers(directories, file, threads, engine) as running, _torch_threads(threads):
            turns: dict[str, Timed] = {one.role: running.get(one.role) or calls[one.role] for one in found}
            samples = take_turns(turns | beside, data.num_nodes, rounds, seconds, energy)
        rows = [_row(one, running.get(one.role), samples[one.role], data, arrays["edge_index"]) for one in found]
    return {
        "name": name,
        "metric": data.metric,
        "graph": _graph(data),
        "threads": threads,
        "rounds": rounds,
        "batch_nodes": min(BATCH, data.num_nodes),
        "models": rows,
        "ratios": {row["role"]: ratios(row, rows[0]) for row in rows[1:]},
        "pyg": {role: latency(samples[role].full.ms) for role in beside},
        "notes": _notes(found, rows, threads, energy),
        "environment": environment(),
    }


def latency(ms: Sequence[float]) -> dict[str, float]:
    """Percentiles in milliseconds, and of how many calls."""
    points = np.percentile(ms, [50, 95, 99])
    return {**{f"p{p}": round(float(v), 4) for p, v in zip((50, 95, 99), points, strict=True)}, "samples": len(ms)}


def times(samples: Samples) -> dict[str, Any]:
    """Percentiles of time passed, and the median of CPU time, for each kind of call that was made."""
    found: dict[str, Any] = {}
    for kind in ("node", "batch", "full"):
        calls: Times = getattr(samples, kind)
        made = bool(calls.ms)
        found[f"{kind}_ms"] = latency(calls.ms) if made else None
        found[f"{kind}_cpu_ms"] = round(median(calls.cpu_ms), 4) if made else None
    return found


def ratios(other: Mapping[str, Any], first: Mapping[str, Any]) -> dict[str, float | None]:
    """How many times as much `other` costs, by medians; None where a cost is not known, or zero."""

    def cost(row: Mapping[str, Any], key: str) -> float | None:
        value = row.get(key)
        return value["p50"] if isinstance(value, dict) else value

    pairs = {key: (cost(other, key), cost(first, key)) for key in COSTS}
    return {key: round(theirs / ours, 3) if theirs and ours else None for key, (theirs, ours) in pairs.items()}


def served_bytes(manifest: Mapping[str, Any], engine: str) -> int:
    """Bytes on disk of what the engine reads: one ONNX file, or the parts; not the card, the probe, other engines."""
    sizes = {name: int(entry["bytes"]) for name, entry in manifest["files"].items()}
    if engine in MODELS:
        return sizes[MODELS[engine]]
    return sum(size for name, size in sizes.items() if name.startswith("parts/"))


def _row(one: Candidate, worker: Worker | None, samples: Samples, task: NodeTask, edge_index: Any) -> dict[str, Any]:
    manifest, engine = one.manifest, "torch" if worker is None else worker.engine
    costs: dict[str, Any] = {"bytes": None, "multiply_adds": None, "memory_mb": None}
    if worker is not None and one.directory is not None:
        operations = multiply_adds(
            one.directory,
            manifest["plan"],
            num_nodes=task.num_nodes,
            features=task.in_features,
            edge_index=edge_index,
            # Only the split engine leaves zeros out.
            stored=_stored(task) if engine == "split" else task.num_nodes * task.in_features,
        )
        costs["bytes"] = served_bytes(manifest, engine)
        costs["multiply_adds"] = operations if manifest["plan"] else None
        costs["memory_mb"] = worker.memory_mb
    row = {
        "role": one.role,
        "model": manifest["model"],
        "member": manifest["member"],
        "engine": engine,
        "test": one.test(engine),
        "parameters": manifest["parameters"],
        **costs,
        **times(samples),
        "nodes_per_second": round(1000 * task.num_nodes / median(samples.full.ms)),
    }
    return row | ({"joules": round(median(samples.joules), 4)} if samples.joules else {})


def _notes(found: Sequence[Candidate], rows: Sequence[dict[str, Any]], threads: int, energy: Energy) -> list[str]:
    """What a reader must know about the figures."""
    notes = [note for one, row in zip(found, rows, strict=True) for note in one.notes(row["engine"])]
    if threads == 1:
        waited = max(row["full_ms"]["p50"] / row["full_cpu_ms"] for row in rows)
        if waited > BUSY:
            notes.append(
                f"the machine was busy: full passes took up to {waited:.1f} times their CPU time; compare CPU times"
            )
    return notes if energy.present else [*notes, NO_ENERGY]


def _stored(task: NodeTask) -> int:
    return task.x.nnz if isinstance(task.x, SparseFeatures) else task.num_nodes * task.in_features


def _graph(task: NodeTask) -> dict[str, Any]:
    sizes = {"nodes": task.num_nodes, "edges": task.num_edges, "features": task.in_features}
    return {"dataset": task.name, "hash": task.hash, **sizes, "stored_features": _stored(task)}


@contextmanager
def _torch_threads(threads: int) -> Iterator[None]:
    """For what runs in this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
