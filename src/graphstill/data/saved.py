"""What a saved task is beside its arrays, and how it stands in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphstill.errors import DataError

#: Where these facts stand in the JSON object `meta` of a file.
KEY, FORMAT = "graphstill", 1
NOTHING = type(None)
KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "hash", "split", "metric"), (str,)),
    **dict.fromkeys(("inductive", "sparse", "binarized"), (bool,)),
    **dict.fromkeys(("edges_removed", "train_removed", "unused"), (list,)),
    **dict.fromkeys(("batch_graphs", "labels_shuffled"), (int, NOTHING)),
    **dict.fromkeys(("positions", "walks"), (dict, NOTHING)),
    "normalize": (str, NOTHING),
}


def _whole(*keys: str) -> Callable[[dict[str, Any] | None], bool]:
    """Whether whole numbers from 0 up stand under these keys, or there is nothing."""

    def good(sizes: dict[str, Any] | None) -> bool:
        return sizes is None or (sizes.keys() == set(keys) and all(type(n) is int and n >= 0 for n in sizes.values()))

    return good


def _shares(removed: list[Any]) -> bool:
    return all(isinstance(one, dict) and one.keys() == {"share", "seed"} for one in removed) and all(
        isinstance(value, int | float) for one in removed for value in one.values()
    )


CHECKS: dict[str, Callable[[Any], bool]] = {
    "format": lambda number: number == FORMAT,
    "positions": _whole("dimensions", "window"),
    "walks": _whole("roots", "length"),
    "edges_removed": _shares,
    "train_removed": _shares,
    "unused": lambda names: all(isinstance(name, str) for name in names),
}


@dataclass(frozen=True)
class Saved:
    """What a saved task is beside its arrays; features are stored as they were after normalisation.

    Attributes:
        hash: of the task. split: name of its split. normalize, binarized: what was done to the features. The others are
            as the task's protocol has them.
    """

    name: str
    hash: str
    split: str
    metric: str
    inductive: bool
    sparse: bool
    batch_graphs: int | None
    normalize: str | None
    binarized: bool
    edges_removed: list[dict[str, float]]
    train_removed: list[dict[str, float]]
    labels_shuffled: int | None
    positions: dict[str, int] | None
    walks: dict[str, int] | None
    unused: list[str]
    format: int = FORMAT


def read_saved(meta: Mapping[str, Any], where: object, width: int | None) -> Saved | None:
    """What the `meta` of a file says of the task that was saved there; None where none was.

    Args:
        width: columns of x, where it has two dimensions.

    Raises:
        DataError: it says something else than `save` writes.
    """
    found = meta.get(KEY)
    if found is None:
        return None
    try:
        saved = Saved(**found)
    except TypeError as error:
        raise DataError(f"meta of {where} is not what task.save writes ({error}): {_REMEDY}") from error
    wrong = [key for key, kind in KINDS.items() if not isinstance(getattr(saved, key), kind)]
    wrong += [key for key, good in CHECKS.items() if key not in wrong and not good(getattr(saved, key))]
    columns = 0 if wrong or saved.positions is None else saved.positions["dimensions"]
    if wrong or (columns and (width is None or columns >= width)):
        what = ", ".join(f"{key}={getattr(saved, key)!r:.60}" for key in wrong or ["positions"])
        raise DataError(f"meta of {where} is not what task.save writes ({what}): {_REMEDY}")
    return saved


_REMEDY = "save the task again with this version of graphstill, or leave the key 'graphstill' out of meta"
