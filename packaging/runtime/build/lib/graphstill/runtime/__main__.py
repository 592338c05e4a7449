"""`python -m graphstill.runtime verify DIR`: the one verb that a machine without the training side needs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from graphstill.runtime import verify

PROG = "graphstill"
TRAINING = (
    "this is the runtime alone (no torch, or none of what the command needs): it knows `graphstill verify DIR`. "
    "Install the whole: pip install graphstill"
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Exit codes as of the whole command: 0 as exported, 1 not, 2 a command line that is wrong."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog=PROG, description="Check an exported student.", epilog=TRAINING)
    verbs = parser.add_subparsers(required=True, metavar="verify")
    verb = verbs.add_parser("verify", help="check that it is as exported and computes the same here")
    verb.add_argument("directory", metavar="DIR", help="an exported student")
    verb.add_argument("--json", action="store_true", help="print exactly one JSON object on standard output")
    if given and not given[0].startswith("-") and given[0] != "verify":
        parser.exit(2, f"error: no verb {given[0]!r} here: {TRAINING}\n")
    asked = parser.parse_args(given)
    report = verify(asked.directory)
    if asked.json:
        findings = [asdict(finding) for finding in report.findings]
        print(json.dumps({"ok": report.ok, "directory": asked.directory, "findings": findings}))
    else:
        print("\n".join(report.lines))
    sys.exit(0 if report.ok else 1)


if __name__ == "__main__":
    main()
