"""A node task as a file of plain arrays that makes the same task again: same hash, same split, same setting."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from graphstill.data import changes
from graphstill.data.arrays import Arrays
from graphstill.data.assembly import assembled
from graphstill.data.choose import PublicSplits
from graphstill.data.splits import PARTS
from graphstill.data.taskdata import TaskData
from graphstill.errors import DataError
from graphstill.files import atomic_write_bytes
from graphstill.ops.sparse_features import SparseFeatures

if TYPE_CHECKING:
    from graphstill.data.tasks.node import NodeTask

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


def save(task: NodeTask, path: str | Path) -> Path:
    """Write the task to an `.npz`, whole or not at all; `NodeTask.from_npz` and `task: {name: FILE.npz}` read it.

    The file holds the test labels too: who has it can look at them. The whole task (`origin`) that this one was made
    from is not in it.

    Args:
        path: `.npz` is added where it is missing; a file that is there is replaced.

    Returns:
        The path.

    Raises:
        DataError: the path cannot be written, or features of less than float32, which could not be told to be the same
            data: save before `to(...)`.
    """
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
    if task.x.dtype not in (torch.float32, torch.float64):
        raise DataError(
            f"the features of task {task.name!r} are {str(task.x.dtype).removeprefix('torch.')}, in save: what was "
            "rounded off cannot be stored; save the task before it is converted"
        )
    data = task.data
    y = data.y.cpu().clone()
    y[task.test_index.cpu()] = task.test.labels_to_save().to(y)
    arrays = {
        "edge_index": data.graph.edge_index().cpu().numpy(),
        "y": y.float().numpy() if y.ndim == 2 else y.numpy(),
    }
    arrays |= {f"{part}_idx": getattr(task, f"{part}_index").cpu().numpy() for part in PARTS}
    if task.graph_ptr is not None:
        arrays["graph_ptr"] = task.graph_ptr.cpu().numpy()
    meta = {KEY: asdict(_facts(task))} | ({} if task.multi_label else {"num_classes": task.num_outputs})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays, **_features(data.x))
    try:
        return atomic_write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}): give a path in a folder that can be") from error


def _facts(task: NodeTask) -> Saved:
    told = task.protocol()
    return Saved(
        name=task.name,
        hash=task.hash,
        split=task.split,
        metric=task.metric,
        inductive=task.inductive,
        sparse=isinstance(task.x, SparseFeatures),
        batch_graphs=task.data.batch_graphs,
        normalize=told["feature_normalization"],
        binarized=told["features_binarized"],
        edges_removed=told["edges_removed"],
        train_removed=told["train_removed"],
        labels_shuffled=told["labels_shuffled"],
        positions=told["positions"],
        walks=told["walks"],
        unused=list(task.unused),
    )


def _features(x: SparseFeatures | torch.Tensor) -> dict[str, Any]:
    own = x.to("cpu").to(torch.float32)
    if isinstance(own, torch.Tensor):
        return {"x": own.numpy()}
    parts = {"x_data": own.values, "x_indices": own.indices, "x_indptr": own.ptr}
    return {key: part.numpy() for key, part in parts.items()} | {"x_shape": np.asarray(own.shape)}


def with_facts(arrays: Arrays, meta: Mapping[str, Any], where: object) -> Arrays:
    """Arrays of a file with what its `meta` says of the task that was saved there; of another file they stay so.

    Raises:
        DataError: it says something else than `save` writes.
    """
    found = meta.get(KEY)
    if found is None:
        return arrays
    try:
        saved = Saved(**found)
    except TypeError as error:
        raise DataError(f"meta of {where} is not what task.save writes ({error}): {_REMEDY}") from error
    wrong = [key for key, kind in KINDS.items() if not isinstance(getattr(saved, key), kind)]
    wrong += [key for key, good in CHECKS.items() if key not in wrong and not good(getattr(saved, key))]
    width = 0 if wrong or saved.positions is None else saved.positions["dimensions"]
    if wrong or (width and (len(arrays.x.shape) != 2 or width >= arrays.x.shape[1])):
        what = ", ".join(f"{key}={getattr(saved, key)!r:.60}" for key in wrong or ["positions"])
        raise DataError(f"meta of {where} is not what task.save writes ({what}): {_REMEDY}")
    public = arrays.public if arrays.public is not None else PublicSplits(None, None, None)
    return replace(arrays, saved=saved, binarized=saved.binarized, public=replace(public, name=saved.split))


_REMEDY = "save the task again with this version of graphstill, or leave the key 'graphstill' out of meta"


def restored(arrays: Arrays, options: Mapping[str, Any]) -> tuple[TaskData, Tensor]:
    """Data and test labels from arrays: those that were saved, where they were, unless options make them others.

    Raises:
        DataError: they are others than were saved, though nothing else was asked for; or what `assembled` refuses.
    """
    saved = arrays.saved
    if saved is None:
        return assembled(arrays, **options)
    own = {key: getattr(saved, key) for key in ("name", "metric", "inductive", "sparse", "batch_graphs")}
    width = 0 if saved.positions is None else saved.positions["dimensions"]
    columns = replace(arrays, x=arrays.x[:, :-width]) if width else arrays
    given = {key: value for key, value in options.items() if value is not None and value is not False}
    data, test = assembled(columns, **own | given)
    facts = data.told(
        normalize="row" if "normalize" in given or saved.normalize == "row" else None,
        edges_removed=tuple(saved.edges_removed),
        train_removed=tuple(saved.train_removed),
        labels_shuffled=saved.labels_shuffled,
        unused=tuple(saved.unused),
    )
    data = data.changed(facts=facts)
    if saved.positions is not None:
        positions = arrays.x[:, -width:]
        dense = positions.toarray() if hasattr(positions, "toarray") else positions
        columns_of = torch.from_numpy(np.ascontiguousarray(dense, np.float32))
        data = changes.with_columns(data, columns_of, saved.positions)
    asked = given.keys() & {"split", "train", "val", "normalize"} or data.inductive != saved.inductive
    if not asked and data.hash != saved.hash:
        raise DataError(
            f"the arrays of task {saved.name!r} make other data (hash {data.hash[:12]}) than were saved "
            f"({saved.hash[:12]}): the file was changed; save the task again, or leave the key {KEY!r} out of meta"
        )
    if saved.walks is not None:
        data = changes.with_walks(data, saved.walks["roots"], saved.walks["length"])
    return data, test
