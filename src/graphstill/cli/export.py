"""graphstill export RUN"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphstill.cli.output import Debug, Json, emit, log
from graphstill.cli.runs import OwnTask, Root
from graphstill.errors import DataError

NAME = "export"


def command(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run; of a recipe's its student is meant.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder to make.")],
    member: Annotated[
        str | None,
        typer.Option("--member", metavar="N|ensemble", help="[default: validation's pick]", show_default=False),
    ] = None,
    int8: Annotated[
        str | None,
        typer.Option("--int8", metavar="dynamic|static", help="Also with 8-bit weights.", show_default=False),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option("--engine", metavar="onnx|split|int8", help="[default: the faster]", show_default=False),
    ] = None,
    task: OwnTask = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            "--baseline",
            metavar="RUN",
            help="The undistilled student, for the card. [default: the recipe's]",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a folder that was exported before.")] = False,
    root: Root = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Write a trained student as a folder that runs without torch, after checking that it computes the same."""
    from graphstill.deploy.export import write
    from graphstill.deploy.options import Options
    from graphstill.deploy.source import source_of, task_of
    from graphstill.runtime.manifest import read_manifest

    source = source_of(run, baseline=baseline)
    number = int(member) if member is not None and member.isdigit() else member
    try:
        data = task_of(task) or source.task(root)
    except DataError as error:
        if int8 is not None or task is not None:
            raise
        data = None
        log(f"without the data of the run: {error}")
    path = write(source, out, data, Options(number, int8, engine, overwrite))
    manifest = read_manifest(path)
    log(f"written: {path}")
    emit({**manifest, "directory": str(path)}, json, lambda: summary(manifest))


def summary(manifest: dict[str, Any]) -> str:
    """A few lines for people."""
    lines = [f"{manifest['name']}: member {manifest['member']}, {manifest['parameters']:,} parameters"]
    times = manifest["timing"]["milliseconds"]
    for name, worst in manifest["parity"]["engines"].items():
        time = f", {times[name]:.2f} ms" if name in times else ""
        equal = f"{100 * worst['agreement']:.2f} % equal predictions"
        lines.append(f"{name:>10}  {worst['difference']:.1e} from torch, {equal}{time}")
    timing = manifest["timing"]
    lines.append(f"engine: {manifest['engine']} ({timing['reason']}; {timing.get('graph', timing.get('images'))})")
    if manifest["int8"] is not None:
        figures = manifest["int8"]
        lines.append(
            f"int8: validation {figures['metric']} {100 * figures['validation']:.2f}, before "
            f"{100 * figures['validation_float']:.2f}; {figures['bytes']:,} of {figures['bytes_float']:,} bytes"
        )
    return "\n".join(lines)
