"""graphstill study GRID.yaml"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphstill.cli.output import Debug, Json, emit, log
from graphstill.cli.runs import Device, DryRun, Root, resumable, where

NAME = "study"


def command(
    grid: Annotated[
        Path, typer.Argument(metavar="GRID.yaml", help="Tasks, methods and what to search, see the guide.")
    ],
    only: Annotated[
        list[str] | None, typer.Argument(metavar="TASK|METHOD|METHOD-TASK", help="Only these rows, columns or cells.")
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where to work. [default: runs/NAME]", show_default=False)
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes side by side.")] = 1,
    root: Root = None,
    device: Device = None,
    dry_run: DryRun = False,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Compare methods on data sets: each pair a recipe, both arms searched on validation with equal numbers of trials.

    Teachers and undistilled students are shared. Called again, it goes on where it stopped.
    """
    from graphstill.study.grid import read_grid

    checked = read_grid(grid)
    checked = checked.only(only) if only else checked
    if dry_run:
        rows = [{"cell": cell.name, "trials": len(cell.trials)} for cell in checked.cells]
        found: dict[str, Any] = {"grid": checked.name, "cells": rows}
        emit(found, json, lambda: "\n".join(f"{row['cell']}: {row['trials']} trials an arm" for row in rows))
        return
    from graphstill.study.sweep import run_grid

    place = directory or Path("runs") / checked.name
    again = ["study", str(grid), *(only or []), "--jobs", str(jobs), *where(root, device)]
    with resumable(again, checked.name, place, resume=True, flags=()) as path:
        files = run_grid(checked, path, jobs=jobs, root=root, say=log)
    emit({"grid": checked.name, "results": [str(file) for file in files]}, json, lambda: f"written: {path / 'results'}")
