"""python -m tests.fuzz [COUNT] [SEED]: the whole campaign, inputs of each kind; exit code 1 if one got through."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.fuzz.harness import campaign, cases
from tests.fuzz.test_fuzz import exported_student


def main(count: int = 1000, seed: int = 1) -> int:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        exported = exported_student(root / "exported")
        counts, examples = campaign(cases(["recipe", "npz", "images", "folder"], count, seed, exported), root / "cases")
    for ended, times in counts.most_common():
        print(f"{times:6} {ended}" + (f" | e.g. {examples[ended]}" if ended in examples else ""))
    return 1 if examples else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
