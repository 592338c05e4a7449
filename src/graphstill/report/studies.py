"""The tables of a study: one for each data set, methods by what they gain, published figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import yaml

from graphstill.errors import ConfigError
from graphstill.report.tables import difference_text, figure_text, network_text, teacher_text
from graphstill.study.statistics import holm

HEADER = ("method", "student", "alone", "distilled", "difference [95 % interval]", "p (Holm)", "published")


def read_published(path: str | Path) -> list[dict[str, str]]:
    """Figures of papers: a YAML list of mappings with method, task, figure, source and why (it differs from ours).

    `setting` is transductive where it is left out.

    Raises ConfigError for an entry that lacks one of them or has another key.
    """
    entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    keys = {"method", "task", "figure", "source", "why"}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) - {"setting"} != keys:
            raise ConfigError(f"entry {number + 1} of {path} is {entry!r}: give exactly {', '.join(sorted(keys))}")
    return [{"setting": "transductive"} | {key: str(value) for key, value in entry.items()} for entry in entries]


def study_tables(results: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, str]] = ()) -> str:
    """Markdown: methods by tasks, then a table for each task (small graphs first, rows by falling gain), and sources.

    Test figures in points, mean ± deviation over seeds; differences paired by seed, p corrected over one table. A cell
    of a study is named METHOD-TASK.
    """
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for result in sorted(results, key=lambda result: (result["protocol"].get("nodes", 0), task_of(result))):
        tasks.setdefault(task_of(result), []).append(result)
    tables = [_table(task, rows, published) for task, rows in tasks.items()]
    return "\n\n".join([_overview(tasks), *tables] if len(tasks) > 1 else tables)


def task_of(result: Mapping[str, Any]) -> str:
    """The task that a study gave the cell, or its data set."""
    return str(result.get("task", result["protocol"]["dataset"]))


def _overview(tasks: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Methods by tasks: the distilled figure, what was gained, and a star where p (Holm, within the task) < 0.05."""
    cells: dict[str, dict[str, str]] = {}
    for task, results in tasks.items():
        corrected = holm([_headline(result).get("p") for result in results])
        for result, p in zip(results, corrected, strict=True):
            difference = _headline(result).get("difference")
            gain = (
                "" if difference is None else f" ({100 * difference:+.2f}{'*' if p is not None and p < 0.05 else ''})"
            )
            figure = f"{100 * mean(result['student']['test']['mean']):.2f}{gain}"
            cells.setdefault(_method_of(result, task), {})[task] = figure
    lines = ["| method | " + " | ".join(tasks) + " |", "|" + "---|" * (len(tasks) + 1)]
    lines += [
        f"| {method} | " + " | ".join(row.get(task, "") for task in tasks) + " |" for method, row in cells.items()
    ]
    return "\n".join(lines)


def _method_of(result: Mapping[str, Any], task: str) -> str:
    return str(result["name"]).removesuffix(f"-{task}")


def _table(task: str, results: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, str]]) -> str:
    ordered = sorted(results, key=lambda result: -_headline(result).get("difference", 0.0))
    corrected = holm([_headline(result).get("p") for result in ordered])
    notes: list[str] = []
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for result, p in zip(ordered, corrected, strict=True):
        method = _method_of(result, task)
        wanted = {"method": method, "task": task, "setting": result["protocol"]["setting"]}
        found = [entry for entry in published if wanted.items() <= entry.items()]
        for entry in found:
            notes.append(f"{method}: published {entry['figure']} ({entry['source']}). {entry['why']}")
        cells = (
            method,
            network_text(result["student"]) + (f" x {result['peers']}" if result["peers"] > 1 else ""),
            "–" if result["baseline"] is None else figure_text(result["baseline"]),
            figure_text(result["student"]),
            difference_text(_headline(result)) if _headline(result) else "–",
            "no claim" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}",
            "; ".join(entry["figure"] for entry in found) or "none found",
        )
        lines.append("| " + " | ".join(cells) + " |")
    protocol = ordered[0]["protocol"]
    teachers = {teacher_text(result["teacher"]) for result in ordered if result["teacher"] is not None}
    head = [f"#### {task}", "", f"{protocol['dataset']}, split {protocol['split']}, {protocol['setting']}."]
    if teachers:
        head[-1] += f" Teacher {'; '.join(sorted(teachers))}."
    return "\n".join([*head, "", *lines, *(["", *(f"- {note}" for note in notes)] if notes else [])])


def _headline(result: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = result["comparison"].get("mean", {})
    return found
