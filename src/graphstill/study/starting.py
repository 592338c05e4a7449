"""Where to start with a method: its weight, what it costs, what it gained, and the line that runs it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphstill.method import Method

PASSES = {
    "teacher": "a pass of the frozen teacher: one in all where training sees one whole graph, else one a step",
    "peers": "none besides those of the group's own networks",
    "": "none besides the student's own",
}


FILE = files("graphstill.study") / "measured.json"


@cache
def measured() -> list[dict[str, Any]]:
    """Every committed comparison of one method alone, numbers in the unit of the metric.

    `run` is the recipe, or the cell of the study `study`; `weight` is the one used, in a study chosen by validation;
    `cost` is the processor time of an epoch relative to the undistilled student's, or None where the two were not
    trained by the same code. The file is made from the raw results by `make tables` and is part of a wheel.
    """
    rows: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return rows


def starting_point(method: type[Method]) -> dict[str, Any]:
    """For a registered method: `weight`, `run` (a command line), `cost` (`ratio`, `of` and `passes`), and `gained`.

    The line runs the recipe with a committed result that is named after the method, and the weight is that recipe's.
    Without one the line trains on digits, offline, or for a method of whole graphs on a small set of them, and the
    weight is the middle of the method's own range, or 1.
    """
    gained = [
        {key: value for key, value in row.items() if key != "method"}
        for row in measured()
        if row["method"] == method.name
    ]
    recipes = [row for row in gained if row["study"] is None]
    stem = method.name.rstrip("+")
    own = min(recipes, key=lambda row: (not row["run"].startswith(stem), len(row["run"]), row["run"]), default=None)
    timed = [row for row in ([own] if own else []) + gained if row["cost"] is not None]
    weights = method.space.get("weight", (1.0,))
    weight = own["weight"] if own else weights[len(weights) // 2]
    return {
        "weight": weight,
        "run": f"graphstill distill recipes/{own['run']}.yaml" if own else _by_itself(method, weight),
        "cost": {
            "ratio": timed[0]["cost"] if timed else None,
            "of": timed[0]["run"] if timed else None,
            "passes": PASSES["teacher" if method.needs.teacher else "peers" if method.needs.peers else ""],
        },
        "gained": gained,
    }


def _by_itself(method: type[Method], weight: float) -> str:
    """A line that trains the method without a recipe of its own: on data that come with scikit-learn, or on graphs."""
    words = ["graphstill distill recipes/kd-digits.yaml"]
    words.append(f"method={method.name}" if weight == 1 else f"'method={{name: {method.name}, weight: {weight:g}}}'")
    needs = method.needs
    words += ["teacher=null"] * (not needs.teacher) + ["peers=4"] * needs.peers + ["student=rod"] * needs.heads
    if needs.graphs:
        words += ["task=tu-ENZYMES", "student.readout=mean", *["teacher.model.readout=sum"] * needs.teacher]
    return " ".join(words)
