"""torch's global random numbers, borrowed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """torch's global random numbers start from ``seed`` inside, and afterwards go on as if nothing had happened.

    Only the generators of the CPU and of ``device`` are touched: ``torch.manual_seed`` resets every GPU's for good.
    """
    gpu = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpu):
        torch.default_generator.manual_seed(seed)
        for place in gpu:
            with torch.cuda.device(place):
                torch.cuda.manual_seed(seed)
        yield
