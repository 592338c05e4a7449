"""What the studies say of each method, on the method's own page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphstill.errors import DataError
from graphstill.files import atomic_write_text
from graphstill.report.changes import guard_text
from graphstill.report.reading import read_results
from graphstill.report.studies import by_task, corrected, method_of
from graphstill.report.tables import (
    difference_text,
    figure_text,
    headline,
    markdown,
    p_text,
    replaced,
    student_text,
)

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
    rows: list[tuple[str, ...]] = []
    for study, results in studies.items():
        for task, cells in by_task(results).items():
            for result, p in corrected(cells):
                terms, called = result["recipe"]["method"], method_of(result)
                if len(terms) != 1 or terms[0]["name"] != method or result["baseline"] is None:
                    continue
                row = (
                    study + guard_text(result),
                    task if called == method else f"{task} ({called})",
                    student_text(result),
                    figure_text(result["baseline"]),
                    figure_text(result["student"]),
                    difference_text(headline(result)),
                    p_text(p),
                )
                rows.append(row)
    if not rows:
        return "In no study so far."
    return "\n".join(["In the [studies](../results.md):", "", *markdown(HEADER, rows)])


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
