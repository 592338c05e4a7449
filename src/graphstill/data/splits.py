"""Who is learnt from, who selects, who is held back: public, random and per-class splits of nodes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from graphstill.data.convert import as_tensor
from graphstill.errors import ConfigError, DataError

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Split:
    """Node ids of the three parts, sorted, disjoint, none empty.

    Args:
        train, val, test: each a boolean mask [nodes] or node ids (integers); kept as sorted int64 ids.
        name: how it came about; printed with every result.

    Raises:
        DataError: a part is empty, holds an id twice or a negative one, is neither a mask nor ids, or overlaps another.
    """

    train: Tensor
    val: Tensor
    test: Tensor
    name: str = "custom"
    _lengths: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seen: dict[str, Tensor] = {}
        masks = {part: _as_mask(as_tensor(getattr(self, part), part)) for part in PARTS}
        for part, mask in masks.items():
            object.__setattr__(self, part, mask)
        lengths = {part: mask.numel() for part, mask in masks.items() if mask.dtype == torch.bool}
        object.__setattr__(self, "_lengths", lengths)
        for part in PARTS:
            index = as_index(getattr(self, part), f"{part} of split {self.name!r}")
            for other, ids in seen.items():
                shared = index[torch.isin(index, ids)]
                if len(shared):
                    raise DataError(
                        f"{len(shared)} nodes (first: {int(shared[0])}) are in both {other} and {part} "
                        f"of split {self.name!r}: the parts must be disjoint; remove them from one"
                    )
            seen[part] = index
            object.__setattr__(self, part, index)

    def check(self, num_nodes: int) -> None:
        """Raises DataError where a mask has another length, or an id is not below num_nodes."""
        for part in PARTS:
            largest, length = int(getattr(self, part)[-1]), self._lengths.get(part, num_nodes)
            if largest >= num_nodes or length != num_nodes:
                what = f"node {largest}" if length == num_nodes else f"a mask of length {length}"
                raise DataError(
                    f"{what} in {part} of split {self.name!r}, but the data has {num_nodes} nodes: "
                    "make the split from the same data"
                )


def _as_mask(given: Tensor) -> Tensor:
    """A mask as old versions of PyG stored it, bytes of 0 and 1 [nodes] or [nodes, 1], as booleans; else unchanged."""
    flat = given.view(-1) if given.ndim == 2 and given.shape[1] == 1 else given
    if flat.ndim == 1 and flat.dtype == torch.bool:
        return flat
    if flat.dtype == torch.uint8 and flat.ndim == 1 and len(flat) > 2 and int(flat.max()) <= 1:
        return flat.bool()
    return given


def as_index(value: object, what: str) -> Tensor:
    """A mask [nodes] or node ids as sorted int64 ids; DataError where empty, negative, repeated, or neither."""
    given = as_tensor(value, what)
    whole = not (given.is_floating_point() or given.is_complex())
    if given.dtype == torch.bool and given.ndim == 1:
        index = given.nonzero().view(-1)
    elif given.ndim == 1 and (whole or not given.numel()):
        index = given.long().sort().values
    else:
        raise DataError(
            f"{what} is {str(given.dtype).removeprefix('torch.')} of shape {list(given.shape)}: "
            "give a boolean mask [nodes] or a list of node ids"
        )
    if not len(index):
        raise DataError(
            f"{what} is empty: training, selection and the final test each need at least one labelled node; "
            "give that part some nodes"
        )
    if int(index[0]) < 0:
        raise DataError(f"node {int(index[0])} in {what}: node ids start at 0; give a boolean mask or ids")
    twice = index[1:][index[1:] == index[:-1]]
    if len(twice):
        raise DataError(
            f"node {int(twice[0])} is there more than once in {what}: give each node once (a 0/1 mask must be boolean)"
        )
    return index


def random_split(
    num_nodes: int,
    train: int | float = 0.5,
    val: int | float = 0.25,
    seed: int = 0,
    *,
    test: int | float | None = None,
    among: Tensor | None = None,
) -> Split:
    """Nodes shuffled and cut. Integers are counts, floats shares; the rest is test, unless `test` says how many.

    Args:
        num_nodes: nodes of the graph.
        among: ids [n] that may be drawn (those with a label); all nodes by default.
        seed: of this split only: its stream is independent of the ones for weights and noise with the same seed.

    Raises:
        DataError: more nodes asked for than there are, or a part would be empty.
    """
    pool = np.arange(num_nodes) if among is None else as_index(among, "among of random_split").numpy()
    counts = [_count(train, len(pool), "train"), _count(val, len(pool), "val")]
    counts.append(len(pool) - sum(counts) if test is None else _count(test, len(pool), "test"))
    sizes = f"train={train}, val={val}" + ("" if test is None else f", test={test}")
    if counts[2] < 1 or sum(counts) > len(pool):
        raise DataError(
            f"{sizes} leave no room in random_split: there are {len(pool)} labelled nodes; "
            "ask for fewer, so that at least one is left for test"
        )
    order = torch.from_numpy(stream(seed, "random split").permutation(pool))
    parts = order.split([*counts, len(pool) - sum(counts)])
    return Split(parts[0], parts[1], parts[2], f"random({sizes}, seed={seed})")


def per_class_split(y: Tensor, train: int = 20, val: int = 30, seed: int = 0) -> Split:
    """`train` and `val` nodes of each class, the rest is test (Shchur et al., Pitfalls of GNN Evaluation, 2018).

    Args:
        y: int64 [nodes] with -1 for nodes without a label, which are in no part.
        seed: of this split only, as in `random_split`.

    Raises:
        DataError: labels are not single-label, or a class has no more than train + val nodes.
    """
    if y.ndim != 1 or y.is_floating_point():
        raise DataError(
            f"labels of shape {list(y.shape)}, {y.dtype}, in per_class_split: it needs one class a node; "
            "use random_split for multi-label data"
        )
    if train < 1 or val < 1:
        raise DataError(f"train={train}, val={val} in per_class_split: give at least one node a class for each")
    generator = stream(seed, "per-class split")
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    labels = y.cpu().numpy()
    for label in np.unique(labels[labels >= 0]):
        nodes = generator.permutation(np.flatnonzero(labels == label))
        if len(nodes) <= train + val:
            raise DataError(
                f"class {label} has {len(nodes)} nodes in per_class_split: "
                f"with train={train} and val={val} none is left for test; lower them, or use random_split"
            )
        for part, chosen in zip(parts, np.split(nodes, [train, train + val]), strict=True):
            part.append(chosen)
    ids = [torch.from_numpy(np.concatenate([np.empty(0, dtype=np.int64), *part])) for part in parts]
    return Split(ids[0], ids[1], ids[2], f"per-class(train={train}, val={val}, seed={seed})")


def labelled(y: Tensor) -> Tensor:
    """bool [nodes]: whether a node has a label: not -1, and no NaN in multi-label data."""
    return ~torch.isnan(y).any(dim=1) if y.ndim == 2 and y.is_floating_point() else y.view(y.shape[0], -1)[:, 0] >= 0


def stream(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """Random numbers for one purpose, independent of those for others, of weights and of noise with the same seed."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise ConfigError(f"seed {seed!r} of the {purpose}: a seed is a whole number from 0 up")
    return np.random.Generator(np.random.PCG64([int(seed), zlib.crc32(purpose.encode()), *numbers]))


def _count(size: int | float, total: int, part: str) -> int:
    count = round(size * total) if isinstance(size, float) else int(size)
    if count < 1 or (isinstance(size, float) and size >= 1):
        raise DataError(
            f"{part}={size} of {total} labelled nodes in random_split: "
            "give a count from 1 up or a share between 0 and 1"
        )
    return count
