"""Measures a case: a process for each allocator setting, both alive, their paths in turns; memory in further processes.

Every process is forked from the suite's, which has imported everything and computed nothing: imports are paid once, and
a case finds a fresh heap.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import resource
import statistics
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from benchmarks.speed.case import OURS, Case, Step
from benchmarks.speed.machine import limits

from graphstill.allocator import recycle_large_buffers

SETTINGS = ("default", "recycled")
#: A timing covers as many steps as fit this, and no round starts after a case has had its seconds; two always run.
TIMING_SECONDS, CASE_SECONDS, LEAST_ROUNDS = 0.04, 6.0, 2

#: Seconds from which a step is not repeated to warm up: what is loaded and compiled lazily is a small part of it.
SLOW = 1.0


class Worker:
    """A forked process that has built a case and answers requests."""

    def __init__(self, case: Case, setting: str, threads: int) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(case, setting, threads, other), daemon=True)
        self.process.start()
        other.close()

    def ask(self, what: str, *arguments: object) -> Any:
        self.pipe.send((what, *arguments))
        good, answer = self.pipe.recv()
        if not good:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.pipe.send(None)
        self.process.join()


def measure(case: Case, threads: int = 1, rounds: int | None = None) -> dict[str, Any]:
    """One row of raw results: seconds of every round of every path under both settings, and peak memory.

    With several threads each timing is followed by one of wall time with a single thread.
    """
    settings = ("own",) if case.own_process else SETTINGS
    workers = {setting: Worker(case, setting, threads) for setting in settings}
    try:
        for worker in workers.values():
            built = worker.ask("build")
        row = {"case": case.name, "subject": case.subject, "what": case.what, "unit": case.unit, **built}
        row["limits"] = workers[settings[-1]].ask("limits")
        kept = ("cpu", "wall", *(["one thread"] if threads > 1 else []))
        found: dict[str, dict[str, Any]] = {s: {p: {k: [] for k in kept} for p in built["paths"]} for s in settings}
        until = time.monotonic() + CASE_SECONDS
        for number in range(rounds or case.rounds):
            if number >= LEAST_ROUNDS and time.monotonic() > until:
                break
            for setting, worker in workers.items():
                for path in built["paths"]:
                    cpu, wall = worker.ask("time", path)
                    found[setting][path]["cpu"].append(cpu)
                    found[setting][path]["wall"].append(wall)
                    if threads > 1:
                        found[setting][path]["one thread"].append(worker.ask("time_alone", path))
    finally:
        for worker in workers.values():
            worker.close()
    if case.memory and not case.own_process:
        for path in built["paths"]:
            # As used: see `ratio`.
            setting = "recycled" if path == OURS else "default"
            alone = Worker(case, setting, threads)
            try:
                found[setting][path]["megabytes"] = round(alone.ask("memory", path), 1)
            finally:
                alone.close()
    row["settings"] = found
    return row


def ratio(row: dict[str, Any], baseline: str, same: bool) -> float:
    """CPU time of a baseline over ours: under the same settings, or each as its users run it.

    As users run them: `graphstill` recycles buffers when a command starts, PyG's users have the default allocator.
    """
    if "own" in row["settings"]:
        return seconds(row, "own", baseline) / seconds(row, "own", OURS)
    return seconds(row, "recycled" if same else "default", baseline) / seconds(row, "recycled", OURS)


def seconds(row: dict[str, Any], setting: str, path: str, clock: str = "cpu") -> float:
    return statistics.median(row["settings"][setting][path][clock])


def _serve(case: Case, setting: str, threads: int, pipe: Connection) -> None:
    torch.set_num_threads(threads)
    if setting == "recycled":
        recycle_large_buffers()
    timed: _Timed | None = None
    while (request := pipe.recv()) is not None:
        what, *arguments = request
        try:
            timed = timed or _Timed(case)
            pipe.send((True, getattr(timed, what)(*arguments)))
        except Exception:  # noqa: BLE001 - whatever goes wrong in a path is told to the suite
            pipe.send((False, f"{case.name}, {setting}: {traceback.format_exc()}"))


class _Timed:
    """A case in its process."""

    def __init__(self, case: Case) -> None:
        torch.manual_seed(0)
        self.built = case.build()
        self.steps: dict[str, Step] = {}
        self.repeats: dict[str, int] = {}

    def build(self) -> dict[str, Any]:
        """Sets every path up and warms it."""
        for name, make in self.built.paths.items():
            torch.manual_seed(0)
            step = self.steps[name] = make()
            once = self._once(step)
            if once < SLOW:
                once = self._once(step)
            self.repeats[name] = min(50, max(1, int(TIMING_SECONDS / once)))
        work = self.built.work
        counted = None if work is None else {"flops": work.flops, "bytes": work.bytes}
        return {"paths": list(self.steps), "work": counted, "sizes": self.built.sizes, "figures": self.built.figures}

    def _once(self, step: Step) -> float:
        start = time.perf_counter()
        step()
        return time.perf_counter() - start

    def limits(self) -> dict[str, object]:
        return limits()

    def time(self, path: str) -> tuple[float, float]:
        """CPU and wall seconds of one step."""
        step, repeats = self.steps[path], self.repeats[path]
        gc.collect()
        wall, cpu = time.perf_counter(), _cpu()
        for _ in range(repeats):
            step()
        return (_cpu() - cpu) / repeats, (time.perf_counter() - wall) / repeats

    def time_alone(self, path: str) -> float:
        """Wall seconds of one step with one thread of torch."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.time(path)[1]
        finally:
            torch.set_num_threads(threads)

    def memory(self, path: str) -> float:
        """Megabytes that a path adds at its peak to what the data take: its set-up and two steps."""
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = _status("VmRSS")
        step = self.built.paths[path]()
        if self._once(step) < SLOW:
            step()
        return (_status("VmHWM") - before) / 1024


def _cpu() -> float:
    """CPU seconds of this process and of those that it started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _status(key: str) -> float:
    """Kilobytes of this process."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key + ":"):
            return float(line.split()[1])
    raise RuntimeError(f"{key} is not in /proc/self/status. Where: benchmarks.speed.measure. Run on Linux.")
