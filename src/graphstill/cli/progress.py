"""Progress of a run on standard error: a bar on a terminal, ten plain lines a part elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from graphstill.cli.output import log

if TYPE_CHECKING:
    from graphstill.study.arms import Watcher


@contextmanager
def progress() -> Iterator[Watcher]:
    """A watcher of `run_recipe` and `run_training` for the length of the block."""
    if not sys.stderr.isatty():
        yield _lines
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

        def watch(part: str, epoch: int, epochs: int, figures: dict[str, float]) -> None:
            if part not in known:
                known[part] = bars.add_task(part, total=epochs, figures="")
            bars.update(known[part], completed=epoch, figures=_text(figures))

        yield watch


def _lines(part: str, epoch: int, epochs: int, figures: dict[str, float]) -> None:
    if epoch == epochs or epoch % max(1, epochs // 10) == 0:
        log(f"{part}: epoch {epoch} of {epochs}, {_text(figures)}")


def _text(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
