"""A node task as a file of plain arrays that makes the same task again: same hash, same split, same setting."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphstill.data import changes
from graphstill.data.arrays import Arrays
from graphstill.data.assembly import assembled
from graphstill.data.saved import KEY, Saved
from graphstill.data.splits import PARTS
from graphstill.data.taskdata import TaskData
from graphstill.errors import DataError
from graphstill.files import atomic_write_bytes
from graphstill.ops.sparse_features import SparseFeatures


def save(data: TaskData, labels: Tensor, path: str | Path) -> Path:
    """Write a task's data, with the labels of its test nodes, to an `.npz`. See `NodeTask.save`.

    Raises:
        DataError: the path cannot be written, or features are of less than float32.
    """
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
    if data.x.dtype not in (torch.float32, torch.float64):
        raise DataError(
            f"the features of task {data.facts.name!r} are {str(data.x.dtype).removeprefix('torch.')}, in save: what "
            "was rounded off cannot be stored; save the task before it is converted"
        )
    y = data.y.cpu().clone()
    y[data.test.cpu()] = labels.cpu().to(y)
    arrays = {
        "edge_index": data.graph.edge_index().cpu().numpy(),
        "y": y.float().numpy() if y.ndim == 2 else y.numpy(),
    }
    arrays |= {f"{part}_idx": getattr(data, part).cpu().numpy() for part in PARTS}
    if data.graph_ptr is not None:
        arrays["graph_ptr"] = data.graph_ptr.cpu().numpy()
    meta = {KEY: asdict(_facts(data))} | ({} if data.multi_label else {"num_classes": data.outputs})
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, meta=np.array(json.dumps(meta)), **arrays, **_features(data.x))
    try:
        return atomic_write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise DataError(f"{path} cannot be written ({error}): give a path in a folder that can be") from error


def _facts(data: TaskData) -> Saved:
    facts = data.facts
    return Saved(
        name=facts.name,
        hash=data.hash,
        split=facts.split,
        metric=facts.metric,
        inductive=data.inductive,
        sparse=isinstance(data.x, SparseFeatures),
        batch_graphs=data.batch_graphs,
        normalize=facts.normalize,
        binarized=facts.binarized,
        edges_removed=list(facts.edges_removed),
        train_removed=list(facts.train_removed),
        labels_shuffled=facts.labels_shuffled,
        positions=facts.positions,
        walks=None if data.walks is None else asdict(data.walks),
        unused=list(facts.unused),
    )


def _features(x: SparseFeatures | torch.Tensor) -> dict[str, Any]:
    own = x.to("cpu").to(torch.float32)
    if isinstance(own, torch.Tensor):
        return {"x": own.numpy()}
    parts = {"x_data": own.values, "x_indices": own.indices, "x_indptr": own.ptr}
    return {key: part.numpy() for key, part in parts.items()} | {"x_shape": np.asarray(own.shape)}


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
