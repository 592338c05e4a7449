"""Raw results: JSON lines, one file a suite run. Of a case that was measured again, the newest row counts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import torch

from graphstill.environment import environment

FOLDER = Path(__file__).parents[1] / "results" / "speed"


def start(folder: Path, limits: dict[str, object], threads: int) -> Path:
    """A new file whose first line describes the machine."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"suite-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.jsonl"
    torch.set_num_threads(threads)
    append(path, {"machine": environment(), "limits": limits, "threads": threads})
    return path


def append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(rounded(row)) + "\n")


def read(folder: Path = FOLDER, threads: int = 1) -> tuple[dict[str, list[dict[str, Any]]], dict[str, Any]]:
    """The rows of every case by name, oldest first, each with the `file` it is from, and the newest machine line.

    Of runs with so many threads.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    machine: dict[str, Any] = {}
    newest: dict[str, Any] = {}
    for path in sorted(folder.glob("suite-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            machine = row if "machine" in row else machine
            if machine["threads"] != threads:
                continue
            if row is machine:
                newest = row
            else:
                rows.setdefault(row["case"], []).append(row | {"file": path.name})
    return rows, newest


def rounded(value: Any) -> Any:
    """Floats to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
