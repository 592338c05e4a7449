"""Node tasks from one local `.npz` file: plain NumPy arrays, no pickles."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphstill.data.arrays import Arrays, graph_split, say_unused
from graphstill.data.choose import PublicSplits
from graphstill.data.splits import PARTS
from graphstill.errors import DataError

CSR_PARTS = ("x_data", "x_indices", "x_indptr", "x_shape")
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
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is a single .npy array: write named arrays with numpy.savez; {LAYOUT}")
            found = {key: archive[key] for key in archive.files}
    except DataError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "Object arrays" in str(error):
            raise DataError(
                f"{path} holds pickled Python objects, which are never loaded (they can run code): store plain arrays; "
                f"{LAYOUT}"
            ) from error
        raise DataError(
            f"{path} cannot be read as an .npz ({error}): the file is damaged, not complete, or of another format; "
            "copy or download it again"
        ) from error
    return _arrays(path, found)


def _arrays(path: Path, found: Mapping[str, np.ndarray]) -> Arrays:
    missing = [key for key in ("edge_index", "y") if key not in found]
    if "x" not in found and not all(key in found for key in CSR_PARTS):
        missing.append("x")
    if missing:
        raise DataError(
            f"{path} has no {' and no '.join(missing)} (it has: {', '.join(sorted(found)) or 'nothing'}): {LAYOUT}"
        )
    x = found["x"] if "x" in found else _csr(path, found)
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
        public = graph_split(*(torch.from_numpy(array) for array in (kinds, ptr, y)))
    return Arrays(x, found["edge_index"], y, public, ptr, _classes(path, found), unused=say_unused(found))


def _csr(path: Path, found: Mapping[str, np.ndarray]) -> Any:
    from scipy.sparse import csr_matrix

    try:
        matrix = csr_matrix((found["x_data"], found["x_indices"], found["x_indptr"]), shape=tuple(found["x_shape"]))
        matrix.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"x_data, x_indices, x_indptr and x_shape of {path} are not one CSR matrix ({error}): "
            "write the parts of a scipy.sparse.csr_matrix"
        ) from error
    return matrix


def _classes(path: Path, found: Mapping[str, np.ndarray]) -> int | None:
    if "meta" not in found:
        return None
    try:
        meta = json.loads(str(found["meta"]))
        number = meta.get("num_classes")
        return None if number is None else int(number)
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"meta of {path} is not a JSON object with a whole num_classes ({error}): "
            "write json.dumps({...}), or leave meta out"
        ) from error
