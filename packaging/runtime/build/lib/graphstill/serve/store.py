"""The graph that a server answers about, read with numpy alone."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphstill.errors import DataError

if TYPE_CHECKING:
    from graphstill.runtime import Features, Graph, Predictor

CSR_PARTS = ("x_data", "x_indices", "x_indptr", "x_shape")
LAYOUT = (
    "Store edge_index [2, edges] and x [nodes, features], or sparse x as x_data, x_indices, x_indptr, x_shape, "
    "with numpy.savez"
)


@dataclass(frozen=True, eq=False)
class GraphStore:
    """Features and edges that stay in memory while a server runs.

    Attributes:
        x: features of all nodes, as the network reads them.
        graph: the edges; None for a network without them.
        num_nodes, num_edges: sizes, as stored.
    """

    x: npt.NDArray[np.float32] | Features
    graph: Graph | None
    num_nodes: int
    num_edges: int

    @classmethod
    def read(cls, path: str | Path, predictor: Predictor) -> GraphStore:
        """From an `.npz` laid out as a node task (labels and splits in it are not looked at).

        Raises:
            DataError: no such file, not an npz, arrays that are missing, contradict each other or hold no finite
                numbers, or features that are not those of the network.
        """
        from graphstill.runtime import Graph

        path = Path(path)
        found = _arrays(path)
        try:
            x = predictor.prepare(_features(found))
            if not len(x):
                raise DataError(f"x has no rows. Where: the graph. {LAYOUT}.")
            if not predictor.needs_graph:
                return cls(x, None, x.shape[0], 0)
            if "edge_index" not in found:
                raise DataError(f"There is no edge_index. Where: the graph. {LAYOUT}.")
            graph = Graph(found["edge_index"], x.shape[0])
        except DataError as error:
            raise DataError(f"{error} ({path})") from error
        return cls(x, graph, graph.num_nodes, graph.num_edges)


def _arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays that are used here; pickled objects are never loaded."""
    if not path.is_file():
        raise DataError(f"Not a file. Where: {path}. Give the path of an .npz. {LAYOUT}.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in ("edge_index", "x", *CSR_PARTS) if key in archive}
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"This is no .npz of plain arrays ({error}). Where: {path}. {LAYOUT}.") from error


def _features(found: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32] | Features:
    from graphstill.runtime import Features

    if "x" in found:
        return found["x"]
    missing = [key for key in CSR_PARTS if key not in found]
    if missing:
        raise DataError(f"There is no x, and no {', '.join(missing)}. Where: the graph. {LAYOUT}.")
    data, indices, indptr, shape = (found[key] for key in CSR_PARTS)
    if shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise DataError(f"x_shape is {shape.tolist()}. Where: the graph. Store [nodes, features].")
    return Features(data, indices, indptr, (int(shape[0]), int(shape[1])))
