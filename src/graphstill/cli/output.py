"""What goes where: results to standard output (with --json exactly one object), everything else to standard error."""

from __future__ import annotations

import io
import json as json_
import os
import sys
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from graphstill.errors import GraphstillWarning

EXIT = {"ok": 0, "failed": 1, "usage": 2, "data": 3, "interrupted": 130}

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print a traceback with an error.")]


class Interrupted(Exception):
    """Ctrl-C during a run that can be resumed; the message says how. No KeyboardInterrupt: typer would swallow it."""


def prepare_streams() -> None:
    """What a terminal's encoding lacks is shown as "?", and warnings of ours are lines like any other."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    warnings.showwarning = _show_warning


_SHOWN_BY_PYTHON = warnings.showwarning


def _show_warning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    if issubclass(category, GraphstillWarning):
        log(f"warning: {message}")
    else:
        _SHOWN_BY_PYTHON(message, category, *place, **more)


def emit(result: dict[str, Any], json: bool, text: Callable[[], Any]) -> None:
    """The one object, or `text` for people: a string, or something that rich can print."""
    if json:
        write(json_.dumps(result, allow_nan=False))
        return
    content = text()
    if isinstance(content, str):
        write(content.rstrip("\n"))
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 120)
        with console.capture() as capture:
            console.print(content)
        write(capture.get().rstrip("\n"))


def write(text: str) -> None:
    """Text to standard output. `graphstill list methods | head` stops reading early, which is no error of ours."""
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end


def log(message: str) -> None:
    """A line for people who watch; never part of the result."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def fail(kind: str, message: str, code: int, json: bool) -> int:
    """Report an error: what is wrong, where, and what to do stand in the message."""
    log(f"error: {message}" if kind != "Interrupted" else message)
    if json:
        write(json_.dumps({"error": {"kind": kind, "message": message}, "exit_code": code}))
    return code
