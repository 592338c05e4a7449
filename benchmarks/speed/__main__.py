"""Runs the cases and writes what they took.

python -m benchmarks.speed                      all cases but the optional ones
python -m benchmarks.speed gcn-64/cora lsp      those whose names begin so
python -m benchmarks.speed --list               their names
python -m benchmarks.speed --update             the tables and plots of docs/performance.md from the raw results
"""

from __future__ import annotations

import argparse
import os
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("names", nargs="*")
parser.add_argument("--all", action="store_true", help="the optional cases too: compilers take minutes")
parser.add_argument("--list", action="store_true")
parser.add_argument("--update", action="store_true")
parser.add_argument("--rounds", type=int, help="at most so many rounds a case")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--dry-run", action="store_true", help="measure and print, write nothing")
arguments = parser.parse_args()
# Before numpy and torch are imported: their thread pools are sized once.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = str(arguments.threads)
# Threads that have nothing to do sleep: those of the process whose turn it is not would otherwise spin on its cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from benchmarks.speed import page, results  # noqa: E402
from benchmarks.speed.case import OURS, Case, all_cases  # noqa: E402
from benchmarks.speed.measure import measure, ratio, seconds  # noqa: E402


def main() -> None:
    cases = all_cases()
    if arguments.list:
        for case in cases.values():
            print(f"{case.name:28}{'(optional) ' if case.optional else ''}{case.what}")
        return
    if arguments.update:
        page.write()
        return
    chosen = [c for c in cases.values() if any(c.name.startswith(name) for name in arguments.names)]
    if not arguments.names:
        chosen = [c for c in cases.values() if arguments.all or not c.optional]
    if not chosen:
        sys.exit(f"no case begins with {' or '.join(arguments.names)}: see --list")
    out = None
    started = time.monotonic()
    failed = []
    for case in chosen:
        try:
            row = measure(case, arguments.threads, arguments.rounds)
        except RuntimeError as error:
            failed.append(case.name)
            print(error, file=sys.stderr)
            continue
        if not arguments.dry_run:
            out = out or results.start(results.FOLDER, row["limits"], arguments.threads)
            results.append(out, row)
        tell(case, row, time.monotonic() - started)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def tell(case: Case, row: dict, elapsed: float) -> None:  # type: ignore[type-arg]
    first, *_, last = [*row["settings"], *row["settings"]]
    parts = [f"{OURS} {seconds(row, last, OURS) * 1e3:.2f} ms"]
    for path in row["paths"][1:]:
        parts.append(
            f"{path} {seconds(row, first, path) * 1e3:.2f} / {seconds(row, last, path) * 1e3:.2f} ms "
            f"({ratio(row, path, same=False):.1f}x / {ratio(row, path, same=True):.1f}x)"
        )
    for name, figure in row["figures"].items():
        parts.append(f"{name} {figure * 1e3:.0f} ms ({figure / seconds(row, last, OURS):.1f}x)")
    memory = {p: m for p in row["paths"] for s in row["settings"].values() if (m := s[p].get("megabytes")) is not None}
    print(f"[{elapsed:5.0f} s] {case.name}: {', '.join(parts)}; MB {memory}", flush=True)


if __name__ == "__main__":
    main()
