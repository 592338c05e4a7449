"""How many multiply-adds one pass over a graph takes, from the steps of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphstill.deploy.extra import needed, onnx_module


def multiply_adds(
    directory: str | Path,
    plan: Sequence[Mapping[str, Any]],
    *,
    num_nodes: int,
    features: int,
    edge_index: npt.NDArray[np.int64],
    stored: int,
) -> int:
    """Multiply-adds of a full pass.

    With N nodes, and E edges after the treatment of self-loops: a dense product takes N in out, a product of the
    features one for each stored value and column of the weight, a propagation E width, an attention
    E (heads + width): a score for each head, then the weighted sum. Biases, activations and normalisations, which are
    linear in N, are left out.

    Args:
        directory: the exported folder. plan: its steps, as in the manifest.
        edge_index: [2, edges].
        stored: values of the features that are multiplied: the non-zeros of sparse ones, else N times features.
    """
    loops = int((edge_index[0] == edge_index[1]).sum())
    edges = {False: edge_index.shape[1], True: edge_index.shape[1] - loops + num_nodes}
    widths, total = {"x": features}, 0
    for step in plan:
        if step["op"] == "dense":
            total += num_nodes * _products(Path(directory) / step["file"])
            widths |= _widths(Path(directory) / step["file"], step, widths)
        elif step["op"] == "project":
            widths[step["out"]] = np.load(Path(directory) / step["weight"], mmap_mode="r").shape[1]
            total += stored * widths[step["out"]]
        elif step["op"] == "propagate":
            widths[step["out"]] = widths[step["in"]]
            total += edges[step["self_loops"]] * widths[step["in"]]
        else:
            widths[step["out"]] = widths[step["in"][0]]
            total += edges[step["self_loops"]] * (step["heads"] + widths[step["in"][0]])
    return total


def _products(path: Path) -> int:
    """Multiply-adds for one row: the sizes of all matrices that it is multiplied by."""
    graph = onnx_module().load(str(path)).graph
    sizes = {constant.name: prod(constant.dims) for constant in graph.initializer}
    products = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    return sum(sizes[node.input[1]] for node in products)


def _widths(path: Path, step: Mapping[str, Any], widths: Mapping[str, int]) -> dict[str, int]:
    """Widths of the outputs, by running one row."""
    session = needed("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    row = {name: np.zeros((1, widths[name]), np.float32) for name in step["in"]}
    return {name: found.shape[1] for name, found in zip(step["out"], session.run(step["out"], row), strict=True)}
