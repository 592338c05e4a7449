"""graphstill list methods|models|datasets"""

from __future__ import annotations

from enum import StrEnum

from graphstill.cli.output import Debug, Json, emit

NAME = "list"


class What(StrEnum):
    methods = "methods"
    models = "models"
    datasets = "datasets"


def command(what: What, json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001 - read by cli.app
    """List what can be named in a recipe."""
    from rich.table import Table

    from graphstill.study.catalogue import catalogue

    rows = catalogue(what.value)

    def table() -> Table:
        view = Table("name", "what it is", *(["needs"] if what is What.methods else []), box=None, pad_edge=False)
        for row in rows:
            view.add_row(row["name"], row["summary"], *([", ".join(row["needs"])] if "needs" in row else []))
        return view

    emit({what.value: rows}, json, table)
