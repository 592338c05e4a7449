"""The command `graphstill`: one small file a verb. Importing it, and asking for help, loads no torch."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command; exits with the codes that `graphstill --help` documents."""
    from graphstill.cli.app import run

    sys.exit(run(list(sys.argv[1:] if arguments is None else arguments)))


__all__ = ["main"]
