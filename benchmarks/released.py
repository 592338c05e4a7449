"""CPU seconds of one training epoch and peak memory, beside what the authors' released code took on such a machine.

    python benchmarks/released.py            (Cora, one thread)

One member, evaluation excluded: the median epoch of the median of five processes. The figures of the released code were
measured once, run unchanged but for version fixes, one thread: GraphAKD 0.060 s, GKD 0.55 s (with its dense n x n
kernels), ROD 0.96 s after 32 s of preparation, with 3,262 MB. The mark is a tenth. Each method runs in a process of its
own, for its memory. Writes benchmarks/results/speed/released.json.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from graphstill import datasets
from graphstill.allocator import recycle_large_buffers
from graphstill.engine import Training, distill, train
from graphstill.engine.loop import Loop
from graphstill.environment import environment
from graphstill.methods import make_method
from graphstill.nn import make_model

EPOCHS, WARM_UP, ROUNDS = 60, 5, 5
#: Student, method, teacher, data, and what the released code took: seconds an epoch, of preparation, MB.
CASES: dict[str, dict[str, Any]] = {
    "graphakd": {
        "student": {"name": "gcn", "hidden": 64},
        "method": {"name": "graphakd", "critic_every": 15},
        "teacher": {"name": "gcnii", "hidden": 64, "layers": 16},
        "task": {},
        "released": {"seconds": 0.060, "megabytes": 454},
    },
    "gkd": {
        "student": {"name": "gcn", "hidden": 32, "layers": 3},
        "method": {"name": "gkd"},
        "teacher": {"name": "gcn", "hidden": 32, "layers": 3},
        "task": {"split": "random", "train": 0.5, "val": 0.25},
        "released": {"seconds": 0.55, "megabytes": 1155},
    },
    "rod": {
        "student": {"name": "rod", "hidden": 128, "hops": 9},
        "method": {"name": "rod"},
        "teacher": None,
        "task": {},
        "released": {"seconds": 0.96, "preparation": 32.0, "megabytes": 3262},
    },
}


def measure(name: str) -> dict[str, Any]:
    """The case in this process."""
    torch.set_num_threads(1)
    recycle_large_buffers()
    case = CASES[name]
    task = datasets.load("cora", **case["task"])
    teacher = None
    if case["teacher"] is not None:
        teacher = train(make_model(**case["teacher"]), task, training=Training(epochs=3))
    seconds: list[float] = []
    really = Loop._train_epoch

    def timed(self: Loop) -> None:
        start = time.process_time()
        really(self)
        seconds.append(time.process_time() - start)

    Loop._train_epoch = timed  # type: ignore[method-assign]
    start = time.process_time()
    method = make_method(case["method"])
    model = make_model(**case["student"])
    training = Training.of(model.defaults, epochs=EPOCHS)
    distill(model, task, method=method, teacher=teacher, training=training, open_test=False)
    whole = time.process_time() - start
    epoch = statistics.median(seconds[WARM_UP:])
    return {
        "method": name,
        "seconds": epoch,
        "whole_run_outside_epochs": whole - sum(seconds),
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "released": case["released"],
        "ratio": case["released"]["seconds"] / epoch,
        "epochs": seconds,
    }


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name in CASES:
            done = subprocess.run([sys.executable, __file__, name], check=True, capture_output=True, text=True)
            rounds[name].append(json.loads(done.stdout))
    found = [sorted(rows, key=lambda row: float(row["seconds"]))[ROUNDS // 2] for rows in rounds.values()]
    for row in found:
        row["rounds"] = [other["seconds"] for other in rounds[row["method"]]]
        print(
            f"{row['method']}: {row['seconds'] * 1e3:.1f} ms CPU an epoch, {row['ratio']:.1f} times less; "
            f"{row['megabytes']:.0f} MB"
        )
    path = Path(__file__).parent / "results" / "speed" / "released.json"
    path.write_text(json.dumps({"dataset": "cora", "cases": found, "environment": environment()}) + "\n")


if __name__ == "__main__":
    main()
