"""Which images of a data set a task has, and what they are for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphstill.data.images.raw import ImageStore, Numbers
from graphstill.data.splits import Split, stream
from graphstill.errors import ConfigError, DataError


@dataclass(frozen=True, eq=False)
class Subset:
    """What was chosen.

    Attributes:
        rows: int64 [n]: rows of the store, sorted; image i of the task is rows[i].
        labels: int64 [n], numbered among the chosen classes.
        split: ids of the task's images, 0 to n - 1.
        classes: names of the chosen classes, in the order of the store.
    """

    rows: Tensor
    labels: Tensor
    split: Split
    classes: tuple[str, ...]


def choose(
    store: ImageStore, where: str, test: str, classes: int | None, per_class: int | None, val_per_class: int, seed: int
) -> Subset:
    """Draws classes, training and validation images; ImageTask says how.

    Args:
        where: name of the data, for messages. test: how its test images came about, for the name of the split.

    Raises:
        ConfigError: a number that makes no sense. DataError: more asked for than there is.
    """
    whole_number("classes", classes, 2, where)
    whole_number("per_class", per_class, 1, where)
    if val_per_class == 0:
        raise ConfigError(
            f"val_per_class=0 of {where}: the epoch is selected on validation images, which are taken from the "
            "training images; give at least 1 a class"
        )
    whole_number("val_per_class", val_per_class, 1, where)
    total = len(store.classes)
    count = total if classes is None else classes
    if not 2 <= count <= total:
        what = (
            "there is nothing to tell apart; give images of at least two"
            if total < 2
            else f"give 2 to {total}, or None"
        )
        raise DataError(f"classes={classes} of {where}, which has {total}: {what}")
    chosen = np.sort(stream(seed, "classes of images").permutation(total)[:count])
    parts: tuple[list[Numbers], ...] = ([], [], [])
    for label in chosen.tolist():
        rows = np.flatnonzero(store.labels == label)
        rows, held_out = rows[rows < store.train], rows[rows >= store.train]
        wanted = val_per_class + (per_class or 1)
        if len(rows) < wanted or not len(held_out):
            needs = f"val_per_class={val_per_class} and per_class={per_class or 'the rest'} need {wanted} and 1"
            raise DataError(
                f"class {store.classes[label]!r} of {where} has {len(rows)} training and {len(held_out)} test images: "
                f"{needs}{' at least' if per_class is None else ''}; lower them, or remove the class"
            )
        drawn = stream(seed, "images of a class", label).permutation(rows)
        last = None if per_class is None else wanted
        for part, found in zip(parts, (drawn[val_per_class:last], drawn[:val_per_class], held_out), strict=True):
            part.append(found)
    of_part = [np.sort(np.concatenate(part)) for part in parts]
    rows = np.sort(np.concatenate(of_part))
    ids = [torch.from_numpy(np.searchsorted(rows, part)) for part in of_part]
    name = _name(test, classes, total, per_class, val_per_class, seed)
    labels = np.searchsorted(chosen, store.labels[rows])
    return Subset(
        torch.from_numpy(rows),
        torch.from_numpy(labels),
        Split(ids[0], ids[1], ids[2], name),
        tuple(store.classes[label] for label in chosen.tolist()),
    )


def whole_number(key: str, value: Any, least: int, where: str) -> None:
    """Raises ConfigError for anything but None or a whole number from `least` up."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
        raise ConfigError(f"{key}={value!r} of {where}: give a whole number from {least} up")


def _name(test: str, classes: int | None, total: int, per_class: int | None, val_per_class: int, seed: int) -> str:
    some = "" if classes in (None, total) else f"{classes} of {total} classes, "
    train = "the rest" if per_class is None else str(per_class)
    return (
        f"{some}{test} test; validation drawn from the training images "
        f"(a class: train={train}, val={val_per_class}; seed={seed})"
    )
