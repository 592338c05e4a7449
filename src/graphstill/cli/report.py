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
    study: Annotated[
        bool, typer.Option("--study", help="A table for each task; the markers in --update carry the folder's name.")
    ] = False,
    published: Annotated[
        Path | None,
        typer.Option("--published", help="With --study: a YAML list of papers' figures.", show_default=False),
    ] = None,
    pages: Annotated[
        Path | None,
        typer.Option("--pages", help="With studies in DIR: pages of methods to fill.", show_default=False),
    ] = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Print the table of all comparisons in a folder as Markdown, and put it into a file between its markers.

    Runs of the same data, student and seeds are also compared with each other, in a second table.
    """
    from graphstill import report

    if pages is not None:
        changed = [str(path) for path in report.update_pages(pages, report.read_studies(folder))]
        emit({"changed": changed}, json, lambda: "\n".join(changed) or "nothing changed")
        return
    results = report.read_results(folder)
    if study:
        table = report.study_tables(results, report.read_published(published) if published else ())
    else:
        table = report.results_table(results, only.split())
    pairs = report.method_pairs([result for result in results if not only or result["name"] in only.split()])
    found: dict[str, Any] = {
        "rows": report.results_rows(results),
        "numbers": report.numbers(results),
        "pairs": pairs,
        "table": table,
    }
    if update is not None:
        key = folder.resolve().name if study else ""
        found |= {"file": str(update), "changed": report.update(update, table, key)}
    emit(found, json, lambda: f"{table}\n\n{report.pairs_table(pairs)}" if pairs else table)
