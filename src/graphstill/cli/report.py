"""graphstill report DIR"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphstill.cli.output import Debug, Json, emit

NAME = "report"


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Runs, or comparison files (*.json, *.jsonl).")],
    update: Annotated[
        Path | None,
        typer.Option("--update", help="A Markdown file whose marked table is replaced.", show_default=False),
    ] = None,
    only: Annotated[
        str,
        typer.Option("--only", help="Recipes to show, by name, with blanks between; p counts all.", show_default=False),
    ] = "",
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Print the table of all comparisons in a folder as Markdown, and put it into a file between its markers."""
    from graphstill import report

    results = report.read_results(folder)
    table = report.results_table(results, only.split())
    found: dict[str, Any] = {"rows": report.results_rows(results), "table": table}
    if update is not None:
        found |= {"file": str(update), "changed": report.update(update, table)}
    emit(found, json, lambda: table)
