"""Node tasks from one local `.npz` file: plain NumPy arrays, no pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphstill import archives
from graphstill.data.arrays import EDGE_ARRAYS, Arrays, graph_split, say_unused
from graphstill.data.choose import PublicSplits
from graphstill.data.convert import as_tensor
from graphstill.data.saved import read_saved
from graphstill.data.splits import PARTS
from graphstill.errors import DataError

CSR_PARTS = ("x_data", "x_indices", "x_indptr", "x_shape")
WANTED = frozenset(
    {"x", *CSR_PARTS, "edge_index", "y", "graph_ptr", "split", "meta", *EDGE_ARRAYS}
    | {f"{part}_{kind}" for part in PARTS for kind in ("idx", "masks")}
)
LAYOUT = (
    "a node task holds edge_index [2, edges], y [nodes] and x [nodes, features], "
    "or sparse x as x_data, x_indices, x_indptr, x_shape"
)


def read_npz(path: str | Path) -> Arrays:
    """Arrays of a file.

    Needed: `edge_index`, `y`, and `x` or its CSR parts. Optional: `train_idx`, `val_idx`, `test_idx` (one public
    split), `train_masks`, `val_masks`, `test_masks` [splits, nodes] (several), `graph_ptr` [graphs + 1] with `split`
    [graphs] (0 train, 1 val, 2 test), and `meta`, a JSON object of which `num_classes` is used.

    Raises:
        DataError: no such file, not an npz, truncated, holding pickled objects, lacking arrays, or labelled by graph.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not a file: give the path of an .npz; {LAYOUT}")
    try:
        with path.open("rb") as file:
            single = file.read(6) == b"\x93NUMPY"
    except OSError as error:
        raise archives.broken(path, "an .npz", error) from error
    if single:
        raise DataError(f"{path} is a single .npy array: write named arrays with numpy.savez; {LAYOUT}")
    found = archives.read_arrays(path, WANTED, lambda name: _of_objects(path, name))
    return _arrays(path, found)


def _arrays(path: Path, found: Mapping[str, np.ndarray]) -> Arrays:
    missing = [key for key in ("edge_index", "y") if key not in found]
    if "x" not in found and not all(key in found for key in CSR_PARTS):
        missing.append("x")
    if missing:
        raise DataError(
            f"{path} has no {' and no '.join(missing)} (it has: "
            f"{', '.join(sorted(archives.names_of(path))) or 'nothing'}): "
            f"{LAYOUT}"
        )
    for key in ("graph_ptr", "split"):
        if key in found and (found[key].ndim != 1 or found[key].dtype.kind not in "iu"):
            raise DataError(
                f"{key} of {path} is {found[key].dtype} {list(found[key].shape)}: give whole numbers, one dimension"
            )
    x = found["x"] if "x" in found else as_csr(path, found)
    y, ptr, kinds, nodes = found["y"], found.get("graph_ptr"), found.get("split"), (*x.shape, 0)[0]
    if ptr is not None and y.shape[:1] == (len(ptr) - 1,) != (nodes,):
        raise DataError(
            f"{path} has one label for each of its {len(y)} graphs: that is a graph task; "
            f"a node task has y [nodes], here {nodes}"
        )
    public = PublicSplits(*(found.get(f"{part}_idx") for part in PARTS))
    if all(f"{part}_masks" in found for part in PARTS):
        public = PublicSplits(*(found[f"{part}_masks"].T for part in PARTS))
    elif ptr is not None and kinds is not None and kinds.shape == (len(ptr) - 1,) and y.shape[:1] == (ptr[-1],):
        if (np.diff(ptr) < 0).any():
            raise DataError(f"graph_ptr of {path} falls: it rises from 0 to the number of nodes, one step a graph")
        public = graph_split(*(as_tensor(array, "y or split") for array in (kinds, ptr, y)))
    meta = meta_of(path, found)
    made = Arrays(x, found["edge_index"], y, public, ptr, classes_of(path, meta), unused=say_unused(found))
    saved = read_saved(meta, path, x.shape[1] if len(x.shape) == 2 else None)
    if saved is None:
        return made
    named = replace(public, name=saved.split)
    return replace(made, saved=saved, binarized=saved.binarized, public=named)


def as_csr(path: Path, found: Mapping[str, np.ndarray]) -> Any:
    from scipy.sparse import csr_matrix

    try:
        if found["x_data"].dtype.kind not in "biuf":
            raise TypeError(f"x_data is {found['x_data'].dtype}")
        matrix = csr_matrix((found["x_data"], found["x_indices"], found["x_indptr"]), shape=tuple(found["x_shape"]))
        matrix.check_format(full_check=True)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(
            f"x_data, x_indices, x_indptr and x_shape of {path} are not one CSR matrix ({error}): "
            "write the parts of a scipy.sparse.csr_matrix"
        ) from error
    return matrix


def meta_of(path: Path, found: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The JSON object that goes with the arrays; empty where there is none."""
    if "meta" not in found:
        return {}
    try:
        meta = json.loads(str(found["meta"]))
    except (ValueError, RecursionError) as error:
        raise _no_meta(path, error) from error
    if not isinstance(meta, dict):
        raise _no_meta(path, type(meta).__name__)
    return meta


def classes_of(path: Path, meta: Mapping[str, Any]) -> int | None:
    try:
        number = meta.get("num_classes")
        if number is not None and (isinstance(number, bool) or number != int(number) or abs(number) > 2**31):
            raise ValueError(f"num_classes is {str(number)[:40]}")
        return None if number is None else int(number)
    except (ValueError, TypeError, OverflowError) as error:
        raise _no_meta(path, error) from error


def _no_meta(path: Path, reason: object) -> DataError:
    return DataError(
        f"meta of {path} is not a JSON object with a whole num_classes ({reason}): write json.dumps({{...}}), or leave "
        "meta out"
    )


def _of_objects(path: Path, name: str) -> str:
    return (
        f"{path} holds pickled Python objects in {name!r}, which are never loaded (they can run code): store plain "
        "arrays; "
        f"{LAYOUT}"
    )
