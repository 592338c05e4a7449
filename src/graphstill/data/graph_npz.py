"""Graph tasks from one local `.npz` file: plain NumPy arrays of many graphs, no pickles."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphstill import archives
from graphstill.data import molecules
from graphstill.data.choose import PublicSplits
from graphstill.data.graph_arrays import GraphArrays
from graphstill.data.npz import CSR_PARTS, as_csr, classes_of, meta_of
from graphstill.data.splits import PARTS
from graphstill.errors import DataError

WANTED = frozenset(
    {"x", *CSR_PARTS, "edge_index", "y", "y_graph", "graph_ptr", "edge_attr", "split", "fold", "meta"}
    | {f"{part}_idx" for part in PARTS}
)
LAYOUT = (
    "a graph task holds edge_index [2, edges], graph_ptr [graphs + 1], y [graphs] or y_graph [graphs, tasks] (NaN = "
    "missing), and x [nodes, features], or sparse x as x_data, x_indices, x_indptr, x_shape, or no x"
)


def read_graph_npz(path: str | Path) -> GraphArrays:
    """Arrays of a file.

    Needed: `edge_index` (ids of all nodes together), `graph_ptr`, and `y` or `y_graph`. Optional: `x` or its CSR parts,
    `edge_attr` [edges, features], `split` [graphs] (0 train, 1 val, 2 test), `train_idx`, `val_idx`, `test_idx`, `fold`
    [graphs] (the fold in which a graph is tested, -1 for never), and `meta`, a JSON object of which `num_classes` is
    used, and `features`, which says where whole numbers are those of molecules. Fold f is public split f: it tests,
    the next fold validates, all others train.

    Raises:
        DataError: no such file, broken, holding pickled objects, or lacking arrays.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} is not a file: give the path of an .npz; {LAYOUT}")
    found = archives.read_arrays(path, WANTED, lambda name: f"{path} holds Python objects in {name!r}; {LAYOUT}")
    missing = [key for key in ("edge_index", "graph_ptr") if key not in found]
    missing += [] if "y" in found or "y_graph" in found else ["y"]
    if missing:
        raise DataError(f"{path} has no {' and no '.join(missing)}: {LAYOUT}")
    meta = meta_of(path, found)
    x = found.get("x", as_csr(path, found) if all(key in found for key in CSR_PARTS) else None)
    y = found["y_graph"] if "y_graph" in found else found["y"]
    public = _public(found, len(y))
    arrays = GraphArrays(
        x, found["edge_index"], y, found["graph_ptr"], found.get("edge_attr"), public, classes_of(path, meta)
    )
    return molecules.coded(arrays) if molecules.described(meta) else arrays


def _public(found: Mapping[str, Any], graphs: int) -> PublicSplits | None:
    if all(f"{part}_idx" in found for part in PARTS):
        return PublicSplits(*(found[f"{part}_idx"] for part in PARTS))
    if "split" in found and found["split"].shape == (graphs,):
        return PublicSplits(*(found["split"] == number for number in range(3)))
    fold = found.get("fold")
    if fold is None or fold.shape != (graphs,) or not len(fold) or int(fold.max()) < 2:
        return None
    folds = int(fold.max()) + 1
    test = fold[:, None] == np.arange(folds)
    val = fold[:, None] == (np.arange(folds) + 1) % folds
    return PublicSplits(~test & ~val, val, test, name="fold")


def is_graph_npz(path: Path) -> bool:
    """By names of arrays and whether labels are those of graphs; nothing is unpacked but headers."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {Path(member).stem for member in archive.namelist()}
            if not {"edge_index", "graph_ptr"} <= names:
                return False
            return "y_graph" in names or (
                "y" in names and archives.length_of(archive, "y") == archives.length_of(archive, "graph_ptr") - 1
            )
    except archives.BROKEN:
        return False
