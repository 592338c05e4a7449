"""The command `graphstill`: one small file a verb. Importing it, and asking for help, loads no torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the command; exits with the codes that `graphstill --help` documents."""
    # Before torch starts its threads: by default idle ones spin, and where anything else runs on the machine, a run of
    # many small steps then takes six times as long (measured: `demo` on two busy cores). Same figures either way.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from graphstill import threads
    from graphstill.allocator import recycle_large_buffers

    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        from graphstill.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("graphstill"):
            raise
        from graphstill.runtime.__main__ import main as verify_alone  # installed without what the command needs

        verify_alone(given)
        return
    recycle_large_buffers()
    threads.adapt()
    sys.exit(run(given))


__all__ = ["main"]
