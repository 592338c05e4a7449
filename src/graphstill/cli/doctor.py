"""graphstill doctor"""

from __future__ import annotations

from dataclasses import asdict

import typer

from graphstill.cli.output import EXIT, Debug, Json, emit
from graphstill.cli.runs import Root

NAME = "doctor"


def command(root: Root = None, json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001 - read by cli.app
    """Check versions, threads, device, data and disk, and train a tiny model. Exit code 1 if something is wrong."""
    from rich.table import Table

    from graphstill.study.doctor import doctor

    findings = doctor(root)
    ok = all(finding.ok for finding in findings)

    def table() -> Table:
        view = Table("", "", "", box=None, show_header=False, pad_edge=False)
        for finding in findings:
            text = finding.detail if finding.ok else f"{finding.detail}. {finding.advice}"
            view.add_row("ok" if finding.ok else "WRONG", finding.name, text)
        return view

    emit({"ok": ok, "findings": [asdict(finding) for finding in findings]}, json, table)
    if not ok:
        raise typer.Exit(EXIT["failed"])
