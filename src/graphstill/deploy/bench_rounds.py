"""Timing in turns: a process a model, one at a time, over and over, so that all see the same machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from graphstill.deploy.bench_worker import timed
from graphstill.deploy.energy import Energy
from graphstill.errors import ExportError

WORKER = Path(__file__).with_name("bench_worker.py")
PACKAGES = Path(__file__).parents[2]
#: Most calls of one kind in a round: single nodes, batches, full passes.
MOST = {"node": 20, "batch": 5, "full": 5}
BATCH = 1000


class Times(NamedTuple):
    """Milliseconds of each call: as passed, and of CPU time, which other processes lengthen less."""

    ms: list[float]
    cpu_ms: list[float]


class Timed(Protocol):
    """What takes turns."""

    def run(self, full: int, nodes: Sequence[Sequence[int]]) -> Times:
        """`full` full passes, then a prediction for each list of nodes."""


class Worker:
    """An exported student in a process without torch. To be waited for before the first use, and closed.

    Attributes:
        engine: that answers; memory_mb: peak of loading graph and student and one full pass, over that of the imports.
    """

    engine: str
    memory_mb: float

    def __init__(self, directory: Path, arrays: Path, threads: int, engine: str | None) -> None:
        limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        path = os.pathsep.join(filter(None, (str(PACKAGES), os.environ.get("PYTHONPATH"))))
        self.directory = directory
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), str(directory), str(arrays), str(threads), engine or ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, **limits, "PYTHONPATH": path},
        )

    def wait(self) -> None:
        """Until it is ready. Raises ExportError, with the last line of its own error, where it fails."""
        ready = self._answer()
        self.engine, self.memory_mb = str(ready["engine"]), round(float(ready["memory_mb"]), 1)

    def run(self, full: int, nodes: Sequence[Sequence[int]]) -> Times:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended: what is missing is its answer, and the error says why
            self._process.stdin.write(json.dumps({"full": full, "nodes": nodes}) + "\n")
            self._process.stdin.flush()
        return Times(**self._answer())

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            error = self._errors.read().strip().splitlines()
            raise ExportError(
                f"The process that runs this model ended: {error[-1] if error else 'without a word'}. "
                f"Where: {self.directory}. Try `graphstill verify` on it."
            )
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def workers(
    directories: Mapping[str, Path], arrays: Path, threads: int, engine: str | None
) -> Iterator[dict[str, Worker]]:
    """A worker a directory, ended with the block."""
    running: dict[str, Worker] = {}
    try:
        for name, directory in directories.items():
            running[name] = Worker(directory, arrays, threads, engine)
        for worker in running.values():
            worker.wait()
        yield running
    finally:
        for worker in running.values():
            worker.close()


@dataclass
class Samples:
    """Times of all calls of one model, by kind; joules a full pass of each round, where they are counted."""

    node: Times = field(default_factory=lambda: Times([], []))
    batch: Times = field(default_factory=lambda: Times([], []))
    full: Times = field(default_factory=lambda: Times([], []))
    joules: list[float] = field(default_factory=list)


class Eager:
    """A call in this process, for full passes only."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call

    def run(self, full: int, nodes: Sequence[Sequence[int]]) -> Times:
        return Times(**timed([self._call] * full))


def take_turns(
    models: Mapping[str, Timed], num_nodes: int, rounds: int, seconds: float, energy: Energy
) -> dict[str, Samples]:
    """Times all models, round after round, each on the same nodes, in an order that is turned around every time.

    Turns are short, and calls of one kind follow each other: what else the machine does changes within seconds. A first
    round, which does not count, says how often: the slowest model gets about `seconds` for each kind of call in each
    round, and the others make as many calls.
    """
    batch = min(BATCH, num_nodes)
    generator = np.random.default_rng(0)

    def draw(size: int, times: int) -> list[list[int]]:
        return [generator.choice(num_nodes, size, replace=False).tolist() for _ in range(times)]

    first = {
        "full": max(min(model.run(2, []).ms) for model in models.values()),
        "node": max(_least(model, draw(1, 2)) for model in models.values()),
        "batch": max(_least(model, draw(batch, 2)) for model in models.values()),
    }
    times = {kind: int(min(MOST[kind], max(1, 1000 * seconds / max(ms, 1e-3)))) for kind, ms in first.items()}
    found = {name: Samples() for name in models}

    def turn(kind: str, name: str, full: int, nodes: Sequence[Sequence[int]]) -> None:
        for kept, new in zip(getattr(found[name], kind), models[name].run(full, nodes), strict=True):
            kept.extend(new)

    turns = list(models)
    for _ in range(rounds):
        nodes, batches = draw(1, times["node"]), draw(batch, times["batch"])
        for name in turns:
            before = energy.read()
            turn("full", name, times["full"], [])
            if energy.present:
                found[name].joules.append(energy.joules_since(before) / times["full"])
        for name in turns:
            turn("node", name, 0, nodes)
        for name in turns:
            turn("batch", name, 0, batches)
        turns.reverse()
    return found


def _least(model: Timed, nodes: list[list[int]]) -> float:
    return min(model.run(0, nodes).ms, default=0.0)
