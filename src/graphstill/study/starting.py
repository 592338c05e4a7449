"""Where to start with a method: its weight, what it costs, what it gained, and the line that runs it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphstill.method import Needs

PASSES = {
    "teacher": "a pass of the frozen teacher: one in all where training sees one whole graph, else one a step",
    "peers": "none besides those of the group's own networks",
    "": "none besides the student's own",
}


@cache
def measured() -> list[dict[str, Any]]:
    """Every committed comparison of one method alone, numbers in the unit of the metric.

    `run` is the recipe, or the cell of the study `study`; `weight` is the one used, in a study chosen by validation;
    `cost` is the processor time of an epoch relative to the undistilled student's, or None where the two were not
    trained by the same code. The file is made from the raw results by `make tables` and is part of a wheel.
    """
    text = (files("graphstill.study") / "measured.json").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def starting_point(name: str, needs: Needs) -> dict[str, Any]:
    """For a registered method: `weight`, `run` (a command line), `cost` (`ratio`, `of` and `passes`), and `gained`.

    The line runs the recipe with a committed result that is named after the method, and the weight is that recipe's;
    without one it runs on digits, offline, with weight 1.
    """
    gained = [{key: value for key, value in row.items() if key != "method"} for row in measured() if row["method"] == name]
    recipes = [row for row in gained if row["study"] is None]
    stem = name.rstrip("+")
    own = min(recipes, key=lambda row: (not row["run"].startswith(stem), len(row["run"]), row["run"]), default=None)
    timed = [row for row in ([own] if own else []) + gained if row["cost"] is not None]
    passes = "teacher" if needs.teacher else "peers" if needs.peers else ""
    return {
        "weight": 1.0 if own is None else own["weight"],
        "run": _on_digits(name, needs) if own is None else f"graphstill distill recipes/{own['run']}.yaml",
        "cost": {
            "ratio": timed[0]["cost"] if timed else None,
            "of": timed[0]["run"] if timed else None,
            "passes": PASSES[passes],
        },
        "gained": gained,
    }


def _on_digits(name: str, needs: Needs) -> str:
    """A line that trains the method on data that come with scikit-learn."""
    words = [f"method={name}"]
    if not needs.teacher:
        words.append("teacher=null")
    if needs.peers:
        words.append("peers=4")
    if needs.heads:
        words.append("student=rod")
    return " ".join(["graphstill distill recipes/kd-digits.yaml", *words])
