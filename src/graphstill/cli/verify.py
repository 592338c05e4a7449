"""graphstill verify DIR"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from graphstill.cli.output import EXIT, Debug, Json, emit

NAME = "verify"


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="An exported student.")],
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Check that an exported student is as it was exported and computes the same here. Exit code 1 if not."""
    from graphstill.runtime import verify

    report = verify(directory)
    findings = [asdict(finding) for finding in report.findings]
    emit({"ok": report.ok, "directory": str(directory), "findings": findings}, json, lambda: "\n".join(report.lines))
    if not report.ok:
        raise typer.Exit(EXIT["failed"])
