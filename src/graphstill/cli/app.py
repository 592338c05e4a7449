"""All verbs together, and what becomes of an error: a message, an exit code, no traceback unless it is asked for."""

from __future__ import annotations

import traceback
from typing import Any

import typer

from graphstill.cli import (
    bench,
    cite,
    demo,
    distill,
    doctor,
    export,
    listing,
    report,
    serve,
    show,
    study,
    train,
    verify,
)
from graphstill.cli.output import EXIT, Interrupted, fail, prepare_streams
from graphstill.errors import ConfigError, DataError, GraphstillError, MethodError

HELP = """Knowledge distillation of graph neural networks.

Exit codes: 0 done; 1 the run failed; 2 the command line or the recipe is wrong; 3 the data is missing or bad;
130 interrupted (what was done is kept, the message says how to go on).
"""

# Newer typer carries its own copy of click: what it raises is found through the names that every version exports.
ClickException: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="graphstill",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (demo, doctor, listing, show, cite, train, distill, study, report, export, verify, bench, serve):
    app.command(name=verb.NAME)(verb.command)


@app.callback(invoke_without_command=True)
def version(show_version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if show_version:
        import graphstill

        typer.echo(graphstill.__version__)
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit code."""
    json, debug = "--json" in arguments, "--debug" in arguments
    prepare_streams()
    try:
        code = app(arguments, standalone_mode=False)
    except (Interrupted, typer.Abort) as error:
        return fail("Interrupted", str(error) or "interrupted", EXIT["interrupted"], json)
    except ClickException as error:
        return fail("UsageError", _usage(error), EXIT["usage"], json)
    except Exception as error:  # noqa: BLE001 - the outermost frame: reported, never swallowed
        if debug or not isinstance(error, GraphstillError | OSError):
            traceback.print_exc()  # a bug of ours is shown in full
        return fail(type(error).__name__, str(error), exit_code(error), json)
    if code == EXIT["interrupted"]:  # Ctrl-C in a verb that has nothing to resume: newer typer turns it into this
        return fail("Interrupted", "interrupted", EXIT["interrupted"], json)
    return code if isinstance(code, int) else EXIT["ok"]


def _usage(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return error.format_message() + (f" See `{context.command_path} --help`." if context is not None else "")


def exit_code(error: Exception) -> int:
    """The documented code of an error."""
    if isinstance(error, DataError):
        return EXIT["data"]
    if isinstance(error, ConfigError | MethodError):
        return EXIT["usage"]
    return EXIT["failed"]
