"""Results as files: found wherever runs and studies leave them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from graphstill.errors import DataError


def read_results(folder: str | Path) -> list[dict[str, Any]]:
    """Every comparison in a folder, sorted by name, each with its `place` below the folder.

    They are `*.json`, or lines of `*.jsonl`, with the `comparison.json` of runs beside these. A study's folder gives
    its `results`, not the cells that they were made of. Where a folder holds none, the folders inside are searched, as
    deep as they go. Files that hold something else (speed, say) are left alone.

    Raises DataError where there is no comparison, and for a file that is no JSON.
    """
    folder = Path(folder)
    found = [{**result, "place": _place(file, folder)} for file, result in _below(folder, set())]
    if not found:
        raise DataError(
            f"no result of `graphstill distill` in {folder} or the folders below it (*.json, *.jsonl). "
            "Give a folder of runs, or of comparison.json files under other names."
        )
    return sorted(found, key=lambda result: (str(result["name"]), result["place"]))


def _below(folder: Path, seen: set[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """The comparisons of a folder; where it has none, those of the folders inside, each visited once."""
    seen.add(folder.resolve())
    for place in (folder / "results", folder):
        found = _comparisons(_files(place))
        if found:
            return found + (_comparisons(sorted(folder.glob("*/comparison.json"))) if place == folder else [])
    inside = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for path in inside:
        if not path.name.startswith(".") and path.resolve() not in seen:
            found += _below(path, seen)
    return found


def _files(folder: Path) -> list[Path]:
    return sorted({*folder.glob("*.json"), *folder.glob("*.jsonl")})


def _comparisons(files: Iterable[Path]) -> list[tuple[Path, dict[str, Any]]]:
    return [
        (file, value) for file in files for value in _read(file) if isinstance(value, dict) and "comparison" in value
    ]


def _read(file: Path) -> list[Any]:
    text = file.read_text(encoding="utf-8")
    try:
        if file.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return [json.loads(text)]
    except ValueError as error:
        raise DataError(f"not JSON ({error}): {file}. Restore it from a copy, or run its recipe again.") from error


def _place(file: Path, folder: Path) -> str:
    """The run's directory, or the file, as seen from the folder that was given."""
    place = file.parent if file.name == "comparison.json" else file.with_suffix("")
    parts = [part for part in place.relative_to(folder).parts if part != "results"]
    return "/".join(parts) or "."
