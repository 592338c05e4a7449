"""python -m tools.measured: what `graphstill show` says of each method's costs and gains, from the raw results.

Writes src/graphstill/study/measured.json, one line a comparison, so that a wheel has it without the raw results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from graphstill.files import atomic_write_text
from graphstill.report import read_results, read_studies
from graphstill.report.changes import data_text, guard_text
from graphstill.report.studies import by_task, corrected
from graphstill.report.tables import headline, student_text

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FILE = ROOT / "src" / "graphstill" / "study" / "measured.json"
DIGITS = 6


def rows() -> list[dict[str, Any]]:
    """Recipes first, then studies, each in the order of its names; only what distils with one method alone."""
    found = [_row(result, p, None) for result, p in corrected(read_results(RESULTS)) if _alone(result)]
    for study, results in read_studies(RESULTS / "studies").items():
        cells = by_task(results).values()
        found += [_row(result, p, study) for cell in cells for result, p in corrected(cell) if _alone(result)]
    return found


def text() -> str:
    """The file, one row a line."""
    lines: Iterator[str] = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows())
    return "[\n" + ",\n".join(lines) + "\n]\n"


def _alone(result: Mapping[str, Any]) -> bool:
    terms = result["recipe"]["method"]
    return len(terms) == 1 and terms[0]["name"] != "independent" and result["baseline"] is not None


def _row(result: Mapping[str, Any], p: float | None, study: str | None) -> dict[str, Any]:
    term, difference = result["recipe"]["method"][0], headline(result)
    return {
        "method": term["name"],
        "run": result["name"],
        "study": study,
        "data": data_text(result["protocol"]) + guard_text(result),
        "metric": result["metric"],
        "student": student_text(result),
        "seeds": len(result["seeds"]),
        "weight": term["weight"],
        "alone": _rounded(mean(result["baseline"]["test"]["mean"])),
        "distilled": _rounded(mean(result["student"]["test"]["mean"])),
        **{key: _rounded(difference[key]) for key in ("difference", "low", "high")},
        "p_holm": _rounded(p),
        "cost": _cost(result),
    }


def _cost(result: Mapping[str, Any]) -> float | None:
    """Processor time of an epoch of all seeds side by side, relative to the undistilled student's."""
    ours, theirs = result["student"], result["baseline"]
    if result.get("guard") is not None or isinstance(ours["environment"], list):
        return None  # several trainings, of which the cost of one is not known
    if ours["environment"] != theirs["environment"]:
        return None  # other code, or another machine
    seconds = [part["cost"]["cpu_seconds"] / part["cost"]["epochs"] for part in (ours, theirs)]
    return round(seconds[0] / seconds[1], 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


if __name__ == "__main__":
    atomic_write_text(FILE, text())
