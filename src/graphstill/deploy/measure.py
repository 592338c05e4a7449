"""How long each engine takes, side by side on one graph."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

REPEATS = 9
SECONDS = 20.0


def interleaved(runs: Mapping[str, Callable[[], Any]], threads: int) -> dict[str, float]:
    """Median milliseconds of each, measured in turns, so that whatever else the machine does falls on all of them.

    ``threads`` is for numpy's products, which otherwise take what the environment says. Stops after three rounds where
    these took ``SECONDS``.
    """
    from threadpoolctl import threadpool_limits

    times: dict[str, list[float]] = {name: [] for name in runs}
    started = time.perf_counter()
    with threadpool_limits(threads):
        for run in runs.values():
            run()
        for i in range(REPEATS):
            if i >= 3 and time.perf_counter() - started > SECONDS:
                break
            for name, run in runs.items():
                before = time.perf_counter()
                run()
                times[name].append(1e3 * (time.perf_counter() - before))
    return {name: round(statistics.median(values), 4) for name, values in times.items()}
