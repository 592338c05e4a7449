"""A first look: one small task, a teacher, a student alone and distilled, a group, and what of it is real."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphstill.study.arms import Watcher, part_progress
from graphstill.study.statistics import compare

PEERS = 4
#: Labelled digits a class: with the data set's default of twenty a small student is nearly as good as its teacher.
DIGITS_LABELS = 5
#: Row, method as in a recipe, whether it is a group, and the row that it is compared with.
ROWS: tuple[tuple[str, Any, bool, str | None], ...] = (
    ("student alone", "independent", False, None),
    ("student, KD", "kd", False, "student alone"),
    ("student, LSP", {"name": "lsp", "weight": 0.01}, False, "student alone"),
    ("group of 4, independent", "independent", True, None),
    ("group of 4, OAD", "oad", True, "group of 4, independent"),
)
TEACHER: dict[str, Any] = {"name": "gcn", "hidden": 64}
STUDENT: dict[str, Any] = {"name": "gcn", "hidden": 8}


def demo(
    dataset: str = "digits",
    seeds: int | Sequence[int] = 10,
    *,
    epochs: int | None = None,
    root: str | Path | None = None,
    watch: Watcher | None = None,
) -> dict[str, Any]:
    """Distil a two-layer GCN of width 64 into one of width 8, and compare each way with its undistilled twin.

    All settings are the defaults of models and methods, the same for every row; nothing was tuned for this data, but
    for the weight of LSP, which was chosen on the validation nodes of digits.

    Args:
        dataset: any name of `graphstill.datasets.names()`; `digits` needs no download, and has five labelled nodes a
            class here.
        epochs: instead of the model's recommended number.
        watch: called after each epoch with (row, epoch, epochs, figures).

    Returns:
        Plain values: the protocol, and for each row its test figures by seed, and its paired comparison.
    """
    from graphstill.data import datasets
    from graphstill.engine import Run, Training, distill
    from graphstill.methods import make_method
    from graphstill.models import make_model

    start = time.perf_counter()
    labels: dict[str, Any] = {"train": DIGITS_LABELS} if dataset == "digits" else {}
    task = datasets.load(dataset, root=root, **labels)
    training = Training.of(make_model(**STUDENT).defaults, **({} if epochs is None else {"epochs": epochs}))
    runs: dict[str, Run] = {}

    def run(name: str, model: dict[str, Any], method: Any, peers: int = 1) -> None:
        made = make_method(method)
        teacher = runs["teacher"] if any(term.method.needs.teacher for term in made.terms) else None
        runs[name] = distill(
            make_model(**model),
            task,
            method=made,
            teacher=teacher,
            peers=peers,
            seeds=seeds,
            training=training,
            name=name,
            progress=part_progress(watch, name),
        )

    run("teacher", TEACHER, "independent")
    for name, method, group, _ in ROWS:
        run(name, STUDENT, method, PEERS if group else 1)
    controls = {name: control for name, _, _, control in ROWS}
    rows = []
    for name, made in runs.items():
        control = controls.get(name)
        kept = {
            key: made.result[key] for key in ("test", "validation", "parameters", "peers", "effective_loss", "cost")
        }
        comparison = None if control is None else compare(made, runs[control]).as_dict()
        rows.append({"name": name, "model": made.result["models"][0], **kept, "comparison": comparison})
    return {
        "protocol": runs["student alone"].result["protocol"],
        "metric": task.metric,
        "seeds": runs["teacher"].seeds,
        "rows": rows,
        "environment": runs["teacher"].result["environment"],
        "seconds": round(time.perf_counter() - start, 2),
    }
