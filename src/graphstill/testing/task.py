"""A small real task: 120 handwritten digits of three classes and their nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from graphstill.data import NodeTask


@cache
def arrays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, edges and labels; the same arrays each time, so leave them as they are."""
    from sklearn.datasets import load_digits
    from sklearn.neighbors import kneighbors_graph

    digits = load_digits()
    keep = np.flatnonzero(np.isin(digits.target, (1, 7, 8)))[:120]
    x = (digits.data[keep] / 16).astype(np.float32)
    y = np.searchsorted((1, 7, 8), digits.target[keep]).astype(np.int64)
    near = kneighbors_graph(x, 4).tocoo()
    pairs = np.unique(np.sort(np.stack([near.row, near.col]), axis=0), axis=1)
    return x, np.concatenate([pairs, pairs[::-1]], axis=1).astype(np.int64), y


def tiny_task(order: np.ndarray | None = None, multi_label: bool = False, inductive: bool = False) -> NodeTask:
    """The task; with its nodes in another order, with one-hot labels as a multi-label task, or inductive."""
    x, edges, y = arrays()
    train, val, test = np.arange(0, 30), np.arange(30, 70), np.arange(70, 120)
    if order is not None:
        place = np.argsort(order)
        x, y, edges = x[order], y[order], place[edges]
        train, val, test = place[train], place[val], place[test]
    labels = np.eye(3, dtype=np.float32)[y] if multi_label else y
    return NodeTask.from_arrays(
        x,
        edges,
        labels,
        train=train,
        val=val,
        test=test,
        name="tiny",
        inductive=inductive,
        sparse=False,
        metric="micro_f1" if multi_label else None,
    )


class Killed(BaseException):
    """A run stopped as by a signal."""


def kill_at(epoch: int) -> Callable[[int, int, dict[str, float]], None]:
    """A `progress` that stops the run after so many epochs."""

    def progress(done: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001 - what progress is given
        if done == epoch:
            raise Killed

    return progress
