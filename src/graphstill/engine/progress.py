"""A line that says how far a training is, for people who watch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

Progress = Callable[[int, int, dict[str, float]], None]
#: Set to 0, no line is shown unless it is asked for.
VARIABLE = "GRAPHSTILL_PROGRESS"
#: Seconds between two updates.
EACH = 0.25


def chosen(progress: Progress | bool | None, name: str) -> Progress | None:
    """What is called after each epoch: what was given; for None a line where somebody watches; for False nothing."""
    if callable(progress):
        return progress
    if progress is None:
        progress = os.environ.get(VARIABLE, "1") != "0" and watched()
    return Line(name) if progress else None


def watched() -> bool:
    """Whether standard error is a terminal, or a notebook's."""
    return bool(sys.stderr.isatty()) or "ipykernel" in sys.modules


class Line:
    """One line on standard error that is written over: epoch, figures, and the time left at this pace."""

    def __init__(self, name: str) -> None:
        self.name, self.begun, self.shown, self.first = name, time.monotonic(), 0.0, 0

    def __call__(self, epoch: int, epochs: int, figures: dict[str, float]) -> None:
        now, last = time.monotonic(), epoch >= epochs
        if not self.shown:
            self.begun, self.first = now, epoch
        if not last and now - self.shown < EACH:
            return
        self.shown = now
        left = (now - self.begun) / max(1, epoch - self.first) * (epochs - epoch)
        told = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        rest = "" if last or epoch == self.first else f", about {left:.0f} s left"
        sys.stderr.write(f"\r\x1b[K{self.name}: epoch {epoch} of {epochs}, {told}{rest}" + "\n" * last)
        sys.stderr.flush()
