"""What this machine can do in the process that measures: copy bandwidth by size, and the rate of a matrix product."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

#: Bytes of the buffer that is copied: what stays in the second cache, in the third, and in neither.
SIZES = (2**19, 2**23, 2**28)
SIDE = 1024


def limits() -> dict[str, object]:
    """Bytes a second, read and written together, by size of the source; operations a second of a 1024³ product."""
    return {"copy": {str(size): _copy(size) for size in SIZES}, "matrix": _matrix()}


def bandwidth(found: dict[str, dict[str, float]], working_set: float) -> float:
    """The copy bandwidth of the smallest size measured that holds a working set, else of the largest."""
    sizes = sorted(int(size) for size in found["copy"])
    held = next((size for size in sizes if 2 * size >= working_set), sizes[-1])
    return found["copy"][str(held)]


def _copy(size: int) -> float:
    source = torch.ones(size // 4)
    target = torch.empty_like(source)
    repeats = max(1, 2**26 // size)

    def copies() -> None:
        for _ in range(repeats):
            target.copy_(source)

    return 2.0 * size * repeats / _best(copies)


def _matrix() -> float:
    a, b = torch.rand(SIDE, SIDE), torch.rand(SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)
    return 2.0 * SIDE**3 / _best(lambda: torch.mm(a, b, out=out))


def _best(work: Callable[[], object], rounds: int = 4) -> float:
    """Wall seconds of the fastest of some rounds: a limit is what the machine can do undisturbed."""
    work()
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)
