"""What `train` and `distill` share: the directory, the way to resume, the dry run."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from graphstill.cli.output import Interrupted, log
from graphstill.errors import ConfigError
from graphstill.study.place import VARIABLE as DEVICE

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Options that beat the defaults and the file.")
]
Dir = Annotated[Path | None, typer.Option("--dir", help="Run directory. [default: runs/NAME-<n>]", show_default=False)]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --dir, where it stopped.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check, print what would be run, with every default, and stop.")
]


def _as_variable(name: str) -> Callable[[Any], Any]:
    """The callback of an option that holds for this process and for those that it starts."""

    def keep(value: Any) -> Any:
        if value is not None:
            os.environ[name] = str(value)
        return value

    return keep


# As the variable too: what a name stands for is asked while a recipe is checked.
Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Where the data is. [default: $GRAPHSTILL_DATA]",
        show_default=False,
        callback=_as_variable("GRAPHSTILL_DATA"),
    ),
]

OwnTask = Annotated[
    Path | None,
    typer.Option("--task", metavar="FILE.npz", help="Data of your own, as task.save wrote it.", show_default=False),
]

Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="cpu, cuda, cuda:1, or auto. [default: $GRAPHSTILL_DEVICE, or cpu]",
        show_default=False,
        callback=_as_variable(DEVICE),
    ),
]


def where(root: Path | None, device: str | None) -> list[str]:
    """These options as they were given, for the command that goes on."""
    return [*(["--root", str(root)] if root else []), *(["--device", device] if device else [])]


@contextmanager
def resumable(
    command: list[str], name: str, directory: Path | None, resume: bool, flags: tuple[str, ...] = ("--resume",)
) -> Iterator[Path]:
    """The directory to run in. Ctrl-C inside the block tells the command that goes on from there."""
    from graphstill.study.directory import new_directory

    if directory is None and resume:
        raise ConfigError("--resume without a directory: on the command line. Say which run: --dir runs/NAME-1.")
    path = new_directory(name) if directory is None else directory
    log(f"run directory: {path}")
    try:
        yield path
    except Exception:
        if directory is None and not any(path.iterdir()):
            path.rmdir()  # it was made for a run that never began
        raise
    except KeyboardInterrupt as error:
        again = shlex.join(["graphstill", *command, "--dir", str(path), *flags])
        raise Interrupted(f"interrupted; what is done is kept. Go on with: {again}") from error
