"""Progress of a run on standard error: a bar on a terminal, ten plain lines a part elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from graphstill.cli.output import log

if TYPE_CHECKING:
    from graphstill.study.arms import Watcher


class Parts:
    """Which part of how many is under way, as far as that is known."""

    def __init__(self, count: int | None) -> None:
        self.count = count
        self.seen: dict[str, float] = {}

    def label(self, part: str, epoch: int, epochs: int) -> str:
        """The part with its number; notes how far it is."""
        self.seen[part] = epoch / epochs
        number = list(self.seen).index(part) + 1
        return part if self.count is None or self.count < 2 else f"{part} ({number} of {max(self.count, number)})"

    def done(self) -> float:
        """Parts that are over; the newest may be so in part."""
        return len(self.seen) - 1 + list(self.seen.values())[-1] if self.seen else 0.0


@contextmanager
def progress(parts: int | None = None) -> Iterator[Watcher]:
    """A watcher of `run_recipe` and `run_training` for the length of the block; `parts` of them, where known."""
    state = Parts(parts)
    if not sys.stderr.isatty():
        yield partial(_lines, state)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    ]
    with Progress(*columns, console=Console(stderr=True)) as bars:
        known: dict[str, TaskID] = {}
        count = parts or 0
        whole = bars.add_task("all", total=count * 100, figures="time left of all of it") if count > 1 else None

        def watch(part: str, epoch: int, epochs: int, figures: dict[str, float]) -> None:
            label = state.label(part, epoch, epochs)
            if part not in known:
                known[part] = bars.add_task(label, total=epochs, figures="")
            if whole is not None:
                bars.update(whole, completed=100 * state.done())
            bars.update(known[part], completed=epoch, figures=_text(figures))

        yield watch


def _lines(state: Parts, part: str, epoch: int, epochs: int, figures: dict[str, float]) -> None:
    if epoch == epochs or epoch % max(1, epochs // 10) == 0:
        log(f"{state.label(part, epoch, epochs)}: epoch {epoch} of {epochs}, {_text(figures)}")


def _text(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
