"""Method against method: runs of one task, student and list of seeds, compared with each other seed by seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import mean
from typing import Any

from graphstill.report.changes import data_text
from graphstill.report.tables import difference_text, markdown, p_text, titles
from graphstill.study.statistics import holm, paired

HEADER = ("data", "student", "first", "second", "first - second [95 % interval]", "p (Holm)")
#: Options of a network that a method's search may set: two students that differ in them alone are one network.
REGULARISATION = ("dropout", "attention_dropout", "drop_edge")


def method_pairs(results: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each pair of results of the same data, metric, student network and seeds; the better one is `first`.

    `difference`, `low` and `high` are of the mean members' test figures, in the unit of the metric, paired by seed;
    `p_holm` is corrected over the pairs of the same data and student. All but the difference are None where nothing
    can be claimed. Rows of one data set and student follow each other, by falling difference.
    """
    groups: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for title, result in zip(titles(results), results, strict=True):
        groups.setdefault(_same(result), []).append((title, result))
    rows: list[dict[str, Any]] = []
    for members in groups.values():
        found = [_pair(one, other) for one, other in combinations(members, 2)]
        corrected = holm([row["p"] for row in found])
        found = [{**row, "p_holm": p} for row, p in zip(found, corrected, strict=True)]
        rows += sorted(found, key=lambda row: -row["difference"])
    return rows


def pairs_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown, with the line that says how to read them."""
    cells = (
        (row["data"], row["student"], row["first"], row["second"], difference_text(dict(row)), p_text(row["p_holm"]))
        for row in rows
    )
    note = (
        "Method against method in points of the test figure: the same data, student network and seeds, paired by seed; "
        "p is a two-sided paired t-test, Holm-corrected over the pairs of the same data and student."
    )
    return "\n".join([*markdown(HEADER, cells), "", note])


def _same(result: Mapping[str, Any]) -> str:
    """What two results must have in common."""
    network = {key: value for key, value in result["student"]["models"][0].items() if key not in REGULARISATION}
    data = result.get("data_hash", data_text(result["protocol"]))
    return json.dumps([data, result["metric"], network, sorted(result["seeds"])], sort_keys=True)


def _pair(one: tuple[str, Mapping[str, Any]], other: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    values = [dict(zip(result["seeds"], result["student"]["test"]["mean"], strict=True)) for _, result in (one, other)]
    if mean(values[0].values()) < mean(values[1].values()):
        one, other, values = other, one, values[::-1]
    seeds = sorted(values[0])
    found = paired(
        [values[0][seed] for seed in seeds], [values[1][seed] for seed in seeds], name=one[0], against=other[0]
    )
    model = one[1]["student"]["models"][0]
    return {
        "data": data_text(one[1]["protocol"]),
        "student": str(model["name"]) + (f"-{model['hidden']}" if "hidden" in model else ""),
        "metric": one[1]["metric"],
        "first": one[0],
        "second": other[0],
        "seeds": found.n,
        "first_mean": found.mean,
        "second_mean": found.baseline_mean,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
    }
