"""graphstill demo"""

from __future__ import annotations

from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphstill.cli.output import Debug, Json, emit
from graphstill.cli.progress import progress
from graphstill.cli.runs import Root

if TYPE_CHECKING:
    from rich.table import Table

NAME = "demo"


def command(
    dataset: Annotated[
        str, typer.Option("--dataset", help="See `graphstill list datasets`; digits is built in.")
    ] = "digits",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Below five, no difference is claimed.")] = 10,
    epochs: Annotated[
        int | None, typer.Option("--epochs", min=1, help="[default: as recommended]", show_default=False)
    ] = None,
    root: Root = None,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Distil on a small built-in data set, offline, and see what of it is real: under two minutes."""
    from graphstill.study.demo import demo

    with progress() as watch:
        found = demo(dataset, seeds, epochs=epochs, root=root, watch=watch)
    emit(found, json, lambda: table(found))


def table(found: dict[str, Any]) -> Table:
    """The rows, with the protocol above and how to read it below."""
    from rich.table import Table

    protocol = found["protocol"]
    view = Table(
        title=f"{protocol['dataset']}: {protocol['nodes']:,} nodes, split {protocol['split']}, {protocol['setting']}; "
        f"test {found['metric']} in points, selected by {protocol['selected_by']}",
        caption=f"Mean ± standard deviation over {len(found['seeds'])} seeds; a group counts as its mean member. "
        "Differences are paired by seed and come with a 95 % interval and the p-value of a paired t-test; one whose "
        f"interval holds 0 may well be chance. Took {found['seconds']:.0f} s.",
        title_justify="left",
        caption_justify="left",
    )
    for column in ("", "parameters", "test", "against its twin"):
        view.add_column(column, justify="right" if column in ("parameters", "test") else "left", no_wrap=True)
    for row in found["rows"]:
        values = [100 * value for value in row["test"]["mean"]]
        spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
        difference = "" if row["comparison"] is None else row["comparison"]["summary"]
        view.add_row(row["name"], f"{row['parameters']:,}", f"{mean(values):.2f}{spread}", difference)
    return view
