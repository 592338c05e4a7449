"""Options that every way to make a NodeTask takes; they are explained there."""

from __future__ import annotations

from typing import Literal, TypedDict

from graphstill.data.splits import Split


class TaskOptions(TypedDict, total=False):
    """Of tasks whose split is given or has its own sizes."""

    name: str
    split: Split | str | int | None
    seed: int
    inductive: bool
    normalize: Literal["row"] | None
    sparse: bool | None
    batch_graphs: int | None


class SplitOptions(TaskOptions, total=False):
    """With the sizes of a split that is drawn."""

    train: int | float | None
    val: int | float | None
