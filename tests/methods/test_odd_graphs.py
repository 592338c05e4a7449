"""Every method on graphs without edges, with isolated nodes, and of one edge: it trains."""

from __future__ import annotations

import math

import numpy as np
import pytest

import graphstill as gs
from tests.methods.stage import by_default, every_method, peers_of, student_of
from tests.tiny import arrays

GRAPHS = {
    "no edges": np.zeros((2, 0), np.int64),
    "float and empty": np.zeros((2, 0)),
    "one edge": np.array([[0], [1]]),
    "loops alone": np.tile(np.arange(120), (2, 1)),
    "a star": np.stack([np.zeros(50, np.int64), np.arange(1, 51)]),
}


@pytest.mark.parametrize("graph", GRAPHS)
@pytest.mark.parametrize("name", every_method())
def test_every_method(name: str, graph: str) -> None:
    x, _, y = arrays()
    parts = {"train": np.arange(30), "val": np.arange(30, 70), "test": np.arange(70, 120)}
    task = gs.NodeTask.from_arrays(x, GRAPHS[graph], y, sparse=False, **parts)
    method, two = by_default(name), gs.Training(epochs=2)
    teacher = gs.train(gs.models.GCN(hidden=6, layers=3), task, training=two) if method.needs.teacher else None
    options = {"teacher": teacher, "peers": peers_of(method), "training": two}
    run = gs.distill(student_of(method), task, method=method, **options)
    assert all(math.isfinite(value) for value in run.result["test"]["members"])
    assert all(bool(p.isfinite().all()) for cohort in run.cohorts for p in cohort.parameters())
