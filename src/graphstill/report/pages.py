"""What the studies say of each method, on the method's own page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphstill.errors import DataError
from graphstill.files import atomic_write_text
from graphstill.report.studies import task_of
from graphstill.report.tables import difference_text, figure_text, network_text, read_results, replaced
from graphstill.study.statistics import holm

HEADER = ("study", "task", "student", "alone", "distilled", "difference [95 % interval]", "p (Holm)")
MARKER = re.compile(r"<!-- results:begin (studies \S+) -->")


def read_studies(folder: str | Path) -> dict[str, list[dict[str, Any]]]:
    """Results by study: each folder in `folder` is one. Raises DataError where there is none."""
    folders = sorted(path for path in Path(folder).iterdir() if path.is_dir())
    if not folders:
        raise DataError(f"no study in {folder}: give a folder of folders of results")
    return {path.name: read_results(path) for path in folders}


def method_table(method: str, studies: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Every cell in which the method stood alone, as Markdown; p is corrected over its study's methods on the task."""
    rows = []
    for study, results in studies.items():
        for result in sorted(results, key=lambda result: (result["protocol"].get("nodes", 0), task_of(result))):
            terms = result["recipe"]["method"]
            if len(terms) == 1 and terms[0]["name"] == method and result["baseline"] is not None:
                group = f" x {result['peers']}" if result["peers"] > 1 else ""
                p = _corrected(result, results)
                cells = (
                    study,
                    task_of(result) + _variant(result, method),
                    network_text(result["student"]) + group,
                    figure_text(result["baseline"]),
                    figure_text(result["student"]),
                    difference_text(result["comparison"]["mean"]),
                    "no claim" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}",
                )
                rows.append("| " + " | ".join(cells) + " |")
    if not rows:
        return "In no study so far."
    head = "In the [studies](../results.md):"
    return "\n".join([head, "", "| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER), *rows])


def update_pages(pages: str | Path, studies: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Path]:
    """Fill the markers `<!-- results:begin studies METHOD -->` of every page in a folder; the pages that changed."""
    changed = []
    for path in sorted(Path(pages).glob("*.md")):
        old = new = path.read_text(encoding="utf-8")
        for key in MARKER.findall(old):
            new = replaced(new, method_table(key.split()[1], studies), str(path), key)
        if new != old:
            atomic_write_text(path, new)
            changed.append(path)
    return changed


def _corrected(result: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> float | None:
    beside = [other for other in results if task_of(other) == task_of(result)]
    corrected = holm([other["comparison"].get("mean", {}).get("p") for other in beside])
    return next(p for other, p in zip(beside, corrected, strict=True) if other is result)


def _variant(result: Mapping[str, Any], method: str) -> str:
    """What a study calls the method, where that says more than its name."""
    called = str(result["name"]).removesuffix(f"-{task_of(result)}")
    return "" if called == method else f" ({called})"
