"""Tables from raw results: no number is typed by hand, and each can be looked up in a committed file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from graphstill.errors import ConfigError, DataError, nearest
from graphstill.files import atomic_write_text
from graphstill.report.changes import data_text, doubts, guard_text, start_text, taught_text
from graphstill.study.statistics import holm

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
KEYED_BEGIN, KEYED_END = "<!-- results:begin {} -->", "<!-- results:end {} -->"
HEADER = (
    "recipe",
    "data",
    "student",
    "method",
    "teacher",
    "alone",
    "distilled",
    "difference [95 % interval]",
    "p (Holm)",
)


def read_results(folder: str | Path) -> list[dict[str, Any]]:
    """Every comparison in a folder, sorted by name: `*.json`, lines of `*.jsonl`, and run directories inside.

    Files that hold something else (speed, say) are left alone. Raises DataError where there is no comparison, and for a
    file that is no JSON.
    """
    folder = Path(folder)
    files = sorted({*folder.glob("*.json"), *folder.glob("*.jsonl"), *folder.glob("*/comparison.json")})
    found = _comparisons(files)
    if not found:  # the folder of a study, or one above
        found = _comparisons(sorted({*folder.glob("results/*.json"), *folder.glob("*/results/*.json")}))
    if not found:
        raise DataError(
            f"no result of `graphstill distill` in {folder} (*.json, *.jsonl, */comparison.json, results/*.json). "
            "Give a folder of runs, or of comparison.json files under other names."
        )
    return sorted(found, key=lambda result: str(result["name"]))


def _comparisons(files: Iterable[Path]) -> list[dict[str, Any]]:
    return [value for file in files for value in _read(file) if isinstance(value, dict) and "comparison" in value]


def numbers(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a recipe, as numbers in the unit of the metric; None where nothing is claimed or a part is not there."""
    corrected = holm([headline(result).get("p") for result in results])
    rows = []
    for result, p in zip(results, corrected, strict=True):
        parts = {part: result[part] and result[part]["test"]["mean"] for part in ("teacher", "baseline", "student")}
        row: dict[str, Any] = {"recipe": result["name"], "dataset": result["protocol"]["dataset"]}
        row |= {
            "metric": result["metric"],
            "seeds": len(result["seeds"]),
            "parameters": result["student"]["parameters"],
        }
        for part, values in parts.items():
            row[part] = values and mean(values)
            row[f"{part}_std"] = stdev(values) if values and len(values) > 1 else None
        row |= {key: headline(result).get(key) for key in ("difference", "low", "high", "p")}
        rows.append({**row, "p_holm": p})
    return rows


def results_rows(results: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """One row a recipe, as text by column. Figures are the mean member's, in points, mean ± deviation over seeds."""
    corrected = holm([headline(result).get("p") for result in results])
    rows = []
    for result, p in zip(results, corrected, strict=True):
        protocol, difference = result["protocol"], headline(result)
        cells = (
            str(result["name"]) + (" (!)" if doubts(result) else ""),
            data_text(protocol),
            student_text(result),
            _method(result["recipe"]["method"]) + start_text(result) + guard_text(result),
            _teacher(result["teacher"], taught_text(result)),
            "–" if result["baseline"] is None else figure_text(result["baseline"]),
            figure_text(result["student"]),
            difference_text(difference) if difference else "–",
            p_text(p),
        )
        rows.append(dict(zip(HEADER, cells, strict=True)))
    return rows


def results_table(results: Sequence[dict[str, Any]], only: Sequence[str] = ()) -> str:
    """The rows as Markdown, with the line that says how to read them.

    `only` shows the rows of these recipes, in this order; p is corrected for all of them, shown or not. Raises
    ConfigError for a name that has no result.
    """
    rows = results_rows(results)
    if only:
        by_name = {row["recipe"].removesuffix(" (!)"): row for row in rows}
        for name in only:
            if name not in by_name:
                raise ConfigError(f"no result of a recipe {name!r} among {len(rows)}: {nearest(name, by_name)}")
        rows = [by_name[name] for name in only]
    lines = markdown(HEADER, ([row[column] for column in HEADER] for row in rows))
    seeds = sorted({len(result["seeds"]) for result in results})
    metrics = sorted({str(result["metric"]) for result in results})
    note = (
        f"Test {' / '.join(metrics)} in points, mean ± standard deviation over {' or '.join(map(str, seeds))} seeds, "
        "epoch selected by validation; parameters in brackets. *alone* is the same student, or the same group without "
        "exchange, with the same seeds and, unless the recipe gives it its own, the same settings; groups are "
        "represented by their mean member. Differences are "
        f"paired by seed; p is a two-sided paired t-test, Holm-corrected over {len(results)} rows."
    )
    shown = [result for result in results if not only or result["name"] in only]
    odd = [f"(!) {result['name']}: {text}" for result in shown for text in doubts(result)]
    return "\n".join([*lines, "", note, *(line for text in odd for line in ("", text))])


def replaced(text: str, table: str, name: str = "the text", key: str = "") -> str:
    """`text` with what stands between the markers replaced; a file with several tables has a key in each pair.

    Raises ConfigError unless there is one pair of these markers.
    """
    begin, end = (KEYED_BEGIN.format(key), KEYED_END.format(key)) if key else (BEGIN, END)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ConfigError(f"not one pair of markers {begin} {end}: in {name}. Put them where the table belongs.")
    before, after = text.split(begin)[0], text.split(end)[1]
    return f"{before}{begin}\n{table}\n{end}{after}"


def update(path: str | Path, table: str, key: str = "") -> bool:
    """Replace the table in a file; whether it changed."""
    path = Path(path)
    old = path.read_text(encoding="utf-8")
    new = replaced(old, table, str(path), key)
    if new != old:
        atomic_write_text(path, new)
    return new != old


def _read(file: Path) -> list[Any]:
    text = file.read_text(encoding="utf-8")
    try:
        if file.suffix == ".jsonl":
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return [json.loads(text)]
    except ValueError as error:
        raise DataError(f"not JSON ({error}): {file}. Restore it from a copy, or run its recipe again.") from error


def p_text(p: float | None) -> str:
    """A p-value, or that nothing is claimed."""
    return "no claim" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def student_text(result: Mapping[str, Any]) -> str:
    """The student's network, and of how many a group consists."""
    return network_text(result["student"]) + (f" x {result['peers']}" if result["peers"] > 1 else "")


def markdown(header: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """The lines of a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """The comparison of mean members; empty where there is no undistilled student."""
    found: dict[str, Any] = result["comparison"].get("mean", {})
    return found


def figure_text(part: dict[str, Any]) -> str:
    """The mean member's test figure in points, mean ± deviation over seeds."""
    values = [100 * value for value in part["test"]["mean"]]
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def difference_text(comparison: dict[str, Any]) -> str:
    """Points, with the interval where something can be claimed."""
    text = f"{100 * comparison['difference']:+.2f}"
    if comparison["low"] is None:
        return text
    return f"{text} [{100 * comparison['low']:+.2f}, {100 * comparison['high']:+.2f}]"


def teacher_text(part: dict[str, Any]) -> str:
    """Network and figure."""
    return f"{network_text(part)}: {figure_text(part)}"


def _teacher(part: dict[str, Any] | None, taught: str) -> str:
    if part is None:
        return taught or "–"
    text, frozen = f"{network_text(part)}: {figure_text(part)}", part.get("frozen")
    return text if frozen is None else f"{text} on the full graph, {figure_text({'test': frozen})} on the student's"


def network_text(part: dict[str, Any]) -> str:
    """Name, width, and parameters."""
    model = part["models"][0]
    width = f"-{model['hidden']}" if "hidden" in model else ""
    if "depth" in model:  # image networks: resnet-8x0.5 has half the channels
        width = f"-{model['depth']}" + (f"x{model['width']:g}" if model.get("width", 1) != 1 else "")
    return f"{model['name']}{width} ({part['parameters']:,})"


def _method(terms: Sequence[dict[str, Any]]) -> str:
    return " + ".join(("" if term["weight"] == 1 else f"{term['weight']:g} ") + str(term["name"]) for term in terms)
