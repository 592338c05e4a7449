"""Options that every way to make a NodeTask takes; they are explained there."""

from __future__ import annotations

from typing import Literal, TypedDict

from graphstill.data.splits import Split
from graphstill.errors import ConfigError

Metric = Literal["accuracy", "micro_f1", "roc_auc"]


def chosen_metric(asked: Metric | None, name: str, multi_label: bool, outputs: int) -> Metric:
    """The metric of a task; the usual one where None was asked for. Raises ConfigError where it has no meaning."""
    fitting: tuple[Metric, ...] = (
        ("micro_f1",) if multi_label else ("accuracy", *(("roc_auc",) if outputs == 2 else ()))
    )
    if asked is None:
        return fitting[0]
    if asked not in fitting:
        raise ConfigError(
            f"metric={asked!r} of task {name!r}, which has {outputs} "
            f"{'labels a node' if multi_label else 'classes'}: give {' or '.join(fitting)}, or leave it out"
        )
    return asked


def check_batch_graphs(batch_graphs: int | None, several: bool, name: str) -> None:
    """Raises ConfigError for a number of graphs a batch that is none, or where there is one graph."""
    if batch_graphs is not None and (not several or isinstance(batch_graphs, bool) or batch_graphs < 1):
        raise ConfigError(
            f"batch_graphs={batch_graphs} of task {name!r}: it is a number from 1 up, for data of several graphs; "
            "leave it out otherwise"
        )


class TaskOptions(TypedDict, total=False):
    """Of tasks whose split is given or has its own sizes."""

    name: str
    split: Split | str | int | None
    seed: int
    inductive: bool
    normalize: Literal["row"] | None
    sparse: bool | None
    batch_graphs: int | None
    metric: Metric | None


class SplitOptions(TaskOptions, total=False):
    """With the sizes of a split that is drawn."""

    train: int | float | None
    val: int | float | None
