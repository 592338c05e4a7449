"""mypy as a user has it: strict, on code that imports an installed graphstill. Its cache is kept between runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTIONS = (
    *("--strict", "--allow-redefinition", "--disable-error-code=import-untyped", "--config-file="),
    *("--follow-imports=silent", f"--cache-dir={ROOT / '.mypy_cache' / 'docs'}"),
)


def checked(*paths: Path) -> subprocess.CompletedProcess[str]:
    """What mypy says of these files and folders. One set of options, so that all share one cache."""
    words = [sys.executable, "-m", "mypy", *OPTIONS, *map(str, paths)]
    return subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT / "src")
