"""graphstill bench RUN"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphstill.cli.output import Debug, Json, emit, log
from graphstill.cli.runs import OwnTask, Root

NAME = "bench"


def command(
    sources: Annotated[
        list[Path], typer.Argument(metavar="RUN", help="The run of a recipe, or runs and folders that `export` wrote.")
    ],
    task: OwnTask = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of each prediction.")] = 1,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often the models take turns.")] = 20,
    engine: Annotated[
        str | None,
        typer.Option("--engine", help="onnx, split or int8 for all. [default: each its fastest]", show_default=False),
    ] = None,
    pyg: Annotated[bool, typer.Option("--pyg", help="Also time full passes in PyTorch Geometric.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="A file for all figures, JSON.", show_default=False)] = None,
    root: Root = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Measure size, time and memory of a student beside the undistilled student and the teacher."""
    from graphstill.deploy.bench import bench
    from graphstill.deploy.bench_table import table
    from graphstill.files import atomic_write_json

    found = bench(sources, task=task, threads=threads, rounds=rounds, engine=engine, pyg=pyg, root=root)
    if out is not None:
        atomic_write_json(out, found)
        log(f"written: {out}")
    emit(found, json, lambda: table(found))
