"""Which split is meant: one that comes with the data, or one that is drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from graphstill.data.convert import as_tensor
from graphstill.data.splits import PARTS, Split, labelled, per_class_split, random_split
from graphstill.errors import DataError, nearest

NAMES = ("public", "random", "per-class")


@dataclass(frozen=True, eq=False)
class PublicSplits:
    """Splits that come with data, not yet checked: for each part a mask [nodes] or [nodes, splits], ids, or None.

    A part with one mask has it in all splits.
    """

    train: Any
    val: Any
    test: Any
    name: str = field(default="public", kw_only=True)

    def pick(self, number: int) -> Split:
        """Raises DataError where parts are absent, there is no split of that number, or it is not a valid one."""
        given = {part: getattr(self, part) for part in PARTS}
        absent = [part for part, mask in given.items() if mask is None]
        if absent:
            raise DataError(
                f"the data has no public split ({', '.join(absent)} missing of train, val and test masks): "
                "give split='per-class', split='random', or a Split"
            )
        parts = {part: as_tensor(mask, f"{part} mask") for part, mask in given.items()}
        counts = {mask.shape[1] for mask in parts.values() if mask.ndim == 2}
        if len(counts) > 1:
            raise DataError(
                f"masks of shapes {[list(mask.shape) for mask in parts.values()]} in the data: "
                "train, val and test need equally many splits, or one for all"
            )
        count = counts.pop() if counts else 1
        if not 0 <= number < count:
            raise DataError(
                f"public split {number} does not exist: the data has {count}, numbered from 0; give one of them"
            )
        columns = [mask[:, number].bool() if mask.ndim == 2 else mask for mask in parts.values()]
        return Split(
            columns[0], columns[1], columns[2], self.name if count == 1 else f"{self.name} {number} of {count}"
        )


def make_split(
    split: Split | str | int | None,
    y: Tensor,
    public: PublicSplits | None = None,
    *,
    seed: int = 0,
    train: int | float | None = None,
    val: int | float | None = None,
) -> Split:
    """The split asked for: the one given, "public" (also None) or the number of a public one, "random", "per-class".

    Raises:
        DataError: the name is unknown, the data has no public split, or none of that number.
    """
    if isinstance(split, Split):
        return split
    sizes = {key: value for key, value in (("train", train), ("val", val)) if value is not None}
    if split == "random":
        return random_split(y.shape[0], seed=seed, among=labelled(y).nonzero().view(-1), **sizes)
    if split == "per-class":
        if not all(isinstance(size, int) for size in sizes.values()):
            raise DataError(
                f"{sizes} in a per-class split: give whole numbers of nodes a class, or split='random' for shares"
            )
        return per_class_split(y, seed=seed, **{key: int(value) for key, value in sizes.items()})
    if isinstance(split, str) and split != "public":
        raise DataError(
            f"no split is called {split!r}; {nearest(split, NAMES)}; a number selects one of several public splits"
        )
    if sizes:
        raise DataError(
            f"{sizes} with a public split: its sizes are fixed; give split='random' or split='per-class' to choose them"
        )
    return (public or PublicSplits(None, None, None)).pick(split if isinstance(split, int) else 0)
