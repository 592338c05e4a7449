"""One exported student in a process of its own, without torch: it is told what to time, and says how long it took.

Run as a file, `python -P bench_worker.py DIRECTORY GRAPH.npz THREADS [ENGINE]`: importing the package that it lies in
would import what trains. Commands are lines of JSON on standard input, answers are lines of JSON on standard output.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from graphstill.environment import peak_memory_mb

#: Sparse features of more numbers than this (1 GiB) are not made dense as a whole.
DENSE_LIMIT = 2**28


def main(directory: str, arrays: str, threads: str, engine: str = "") -> None:
    import numpy as np
    import onnxruntime  # noqa: F401 - part of the bare import that memory is measured against

    from graphstill.runtime import Features, Graph, Predictor

    imported = peak_memory_mb()
    with np.load(arrays, allow_pickle=False) as stored:
        csr: Any = [stored[key] for key in ("data", "indices", "indptr", "shape") if key in stored]
        x: Any = Features(*csr) if csr else stored["x"]
        edge_index, num_nodes = stored["edge_index"], len(x)
    predictor = Predictor(directory, threads=int(threads), engine=engine or None)
    if csr and predictor.engine != "split" and x.shape[0] * x.shape[1] <= DENSE_LIMIT:
        x = x.dense()  # what this engine reads: made once, where it fits
    graph = Graph(edge_index, num_nodes) if predictor.needs_graph else None

    def full() -> object:
        return predictor.logits(x, graph)

    def some(nodes: list[int]) -> Callable[[], object]:
        asked = np.array(nodes)
        return lambda: predictor.logits(x, graph, nodes=asked)

    full()
    answer({"engine": predictor.engine, "memory_mb": peak_memory_mb() - imported, "torch": "torch" in sys.modules})
    for line in sys.stdin:
        asked = json.loads(line)
        calls = [full] * asked["full"] + [some(nodes) for nodes in asked["nodes"]]
        answer(timed(calls))


def timed(calls: list[Callable[[], object]]) -> dict[str, list[float]]:
    """Milliseconds of each call, as passed and as all threads of this process used."""
    spent: dict[str, list[float]] = {"ms": [], "cpu_ms": []}
    for call in calls:
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        spent["ms"].append(1000 * (time.perf_counter() - wall))
        spent["cpu_ms"].append(1000 * (time.process_time() - cpu))
    return spent


def answer(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
