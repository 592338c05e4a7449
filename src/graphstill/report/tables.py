"""Tables from raw results: no number is typed by hand, and each can be looked up in a committed file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from graphstill.errors import ConfigError, nearest
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


def numbers(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a recipe, as numbers in the unit of the metric; None where nothing is claimed or a part is not there."""
    corrected = holm([headline(result).get("p") for result in results])
    rows = []
    for result, p in zip(results, corrected, strict=True):
        parts = {part: result[part] and result[part]["test"]["mean"] for part in ("teacher", "baseline", "student")}
        row: dict[str, Any] = {
            "recipe": result["name"],
            "place": result.get("place"),
            "dataset": result["protocol"]["dataset"],
        }
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
    for result, title, p in zip(results, titles(results), corrected, strict=True):
        protocol, difference = result["protocol"], headline(result)
        cells = (
            title + (" (!)" if doubts(result) else ""),
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


def titles(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The recipes' names; where several results have one name, with the place of each."""
    times = Counter(str(result["name"]) for result in results)
    return [
        f"{result['name']} ({result['place']})"
        if times[str(result["name"])] > 1 and "place" in result
        else result["name"]
        for result in results
    ]


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
    named = zip(titles(results), results, strict=True)
    odd = [f"(!) {name}: {text}" for name, result in named if not only or name in only for text in doubts(result)]
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
