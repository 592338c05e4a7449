"""A run that is finished already, for those who resume it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphstill.data import Task
from graphstill.engine import checkpoint
from graphstill.engine.plain import plain
from graphstill.engine.run import Run
from graphstill.files import remove_leftovers
from graphstill.lock import Lock
from graphstill.nn import Model


def finished_run(
    folder: Path | None, resume: bool, task: Task, models: list[Model], recipe: dict[str, Any]
) -> Run | None:
    """The run in the folder, where it is finished, is to be resumed and is the one asked for."""
    if folder is None or not resume or not (folder / "result.json").is_file():
        return None
    run = Run.load(folder, task.y.device, model=models)
    checkpoint.check_same(
        folder / "result.json",
        plain(recipe) | {"data_hash": task.hash},
        run.result["recipe"] | {"data_hash": run.result["data_hash"]},
    )
    _tidy(folder)
    return run


def _tidy(folder: Path) -> None:
    """Remove what a process that was killed right after its result has left behind."""
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    remove_leftovers(folder)
    Lock(folder / "lock").remove_stale()
