"""The tables of a study: one for each data set, methods by what they gain, published figures beside ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from graphstill import plain_yaml
from graphstill.errors import ConfigError
from graphstill.report.changes import guard_text
from graphstill.report.tables import (
    difference_text,
    figure_text,
    headline,
    markdown,
    p_text,
    student_text,
    teacher_text,
)
from graphstill.study.statistics import holm

HEADER = ("method", "student", "alone", "distilled", "difference [95 % interval]", "p (Holm)", "published")


def read_published(path: str | Path) -> list[dict[str, str]]:
    """Figures of papers: a YAML list of mappings with method, task, figure, source and why (it differs from ours).

    `setting` is transductive where it is left out; `student` is the network that the figure is of, any if left out.

    Raises ConfigError for an entry that lacks one of them or has another key.
    """
    entries = plain_yaml.load(plain_yaml.read_text(path, "the published figures"), str(path))
    keys = {"method", "task", "figure", "source", "why"}
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) - {"setting", "student"} != keys:
            raise ConfigError(f"entry {number + 1} of {path} is {entry!r}: give exactly {', '.join(sorted(keys))}")
    return [{"setting": "transductive"} | {key: str(value) for key, value in entry.items()} for entry in entries]


def study_tables(results: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, str]] = ()) -> str:
    """Markdown: methods by tasks, then a table for each task (small graphs first, rows by falling gain), and sources.

    Test figures in points, mean ± deviation over seeds; differences paired by seed, p corrected over one table. A cell
    of a study is named METHOD-TASK.
    """
    tasks = by_task(results)
    tables = [_table(task, rows, published) for task, rows in tasks.items()]
    return "\n\n".join([_overview(tasks), *tables] if len(tasks) > 1 else tables)


def by_task(results: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The cells of each task, small graphs first."""
    tasks: dict[str, list[Mapping[str, Any]]] = {}
    for result in sorted(results, key=lambda result: (result["protocol"].get("nodes", 0), task_of(result))):
        tasks.setdefault(task_of(result), []).append(result)
    return tasks


def corrected(results: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], float | None]]:
    """Each cell of one task with its p, corrected over all of them."""
    return zip(results, holm([headline(result).get("p") for result in results]), strict=True)


def task_of(result: Mapping[str, Any]) -> str:
    """The task that a study gave the cell, or its data set."""
    return str(result.get("task", result["protocol"]["dataset"]))


def _overview(tasks: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Methods by tasks: the distilled figure, what was gained, and a star where p (Holm, within the task) < 0.05."""
    cells: dict[str, dict[str, str]] = {}
    for task, results in tasks.items():
        for result, p in corrected(results):
            difference = headline(result).get("difference")
            gain = (
                "" if difference is None else f" ({100 * difference:+.2f}{'*' if p is not None and p < 0.05 else ''})"
            )
            figure = f"{100 * mean(result['student']['test']['mean']):.2f}{gain}"
            cells.setdefault(method_of(result), {})[task] = figure
    rows = ([method, *(row.get(task, "") for task in tasks)] for method, row in cells.items())
    return "\n".join(markdown(["method", *tasks], rows))


def method_of(result: Mapping[str, Any]) -> str:
    """What the study calls the method of a cell."""
    return str(result["name"]).removesuffix(f"-{task_of(result)}")


def _table(task: str, results: Sequence[Mapping[str, Any]], published: Sequence[Mapping[str, str]]) -> str:
    ordered = sorted(results, key=lambda result: -headline(result).get("difference", 0.0))
    notes, rows = list[str](), list[tuple[str, ...]]()
    for result, p in corrected(ordered):
        method = method_of(result)
        wanted = {"method": method, "task": task, "setting": result["protocol"]["setting"]}
        student = result["student"]["models"][0]["name"]
        found = [e for e in published if wanted.items() <= e.items() and e.get("student", student) == student]
        for entry in found:
            notes.append(f"{method}: published {entry['figure']} ({entry['source']}). {entry['why']}")
        row = (
            method + guard_text(result),
            student_text(result),
            "–" if result["baseline"] is None else figure_text(result["baseline"]),
            figure_text(result["student"]),
            difference_text(headline(result)) if headline(result) else "–",
            p_text(p),
            "; ".join(entry["figure"] for entry in found) or "none found",
        )
        rows.append(row)
    protocol = ordered[0]["protocol"]
    teachers = {teacher_text(result["teacher"]) for result in ordered if result["teacher"] is not None}
    metric = "" if ordered[0]["metric"] == "accuracy" else f", {ordered[0]['metric']} in points"
    head = [f"#### {task}", "", f"{protocol['dataset']}, split {protocol['split']}, {protocol['setting']}{metric}."]
    if teachers:
        head[-1] += f" Teacher {'; '.join(sorted(teachers))}."
    return "\n".join([*head, "", *markdown(HEADER, rows), *(["", *(f"- {note}" for note in notes)] if notes else [])])
