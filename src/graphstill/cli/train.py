"""graphstill train MODEL TASK key=value ..."""

from __future__ import annotations

from typing import Annotated

import typer

from graphstill.cli.output import Debug, Json, emit, log
from graphstill.cli.progress import progress
from graphstill.cli.runs import Device, Dir, DryRun, Overrides, Resume, Root, resumable, where

NAME = "train"


def command(
    model: Annotated[str, typer.Argument(help="A model, see `graphstill list models`.")],
    task: Annotated[str, typer.Argument(help="A data set, see `graphstill list datasets`.")],
    overrides: Overrides = None,
    directory: Dir = None,
    root: Root = None,
    device: Device = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Train a model on labels alone: `graphstill train gcn cora model.hidden=16 training.epochs=100 seeds=5`."""
    from graphstill.study.recipe import check_training
    from graphstill.study.runner import run_training
    from graphstill.study.source import Source

    source = Source({"model": model, "task": task}, "command line")
    for override in overrides or ():
        source.override(override)
    checked = check_training(source)
    if dry_run:
        emit({"recipe": checked.resolved()}, json, checked.dump)
        return
    again = ["train", model, task, *(overrides or ()), *where(root, device)]
    with resumable(again, checked.name, directory, resume) as path, progress() as watch:
        run = run_training(checked, path, resume=resume, root=root, watch=watch)
    log(f"written: {path}")
    emit({**run.result, "directory": str(path)}, json, lambda: f"{run.name}: {run.test[run.result['metric']]}")
