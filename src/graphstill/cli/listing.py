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
        classes, needs = what is not What.datasets, what is What.methods
        header = ["name", *(["in Python"] if classes else []), "what it is", *(["needs"] if needs else [])]
        view = Table(*header, box=None, pad_edge=False)
        for row in rows:
            called, needed = [row["class"]] if classes else [], [", ".join(row["needs"])] if needs else []
            view.add_row(row["name"], *called, row["summary"], *needed)
        return view

    emit({what.value: rows}, json, table)
