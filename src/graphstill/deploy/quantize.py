"""8-bit weights: a quarter of the size, and a change of the logits that is measured, never assumed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphstill.data import NodeTask
from graphstill.data.batches import induced_graph
from graphstill.data.features import select_rows
from graphstill.deploy.extra import needed, quiet
from graphstill.deploy.plan import Array
from graphstill.errors import ConfigError, nearest
from graphstill.ops import SparseFeatures

KINDS = ("dynamic", "static")
OPERATORS = ["MatMul", "Gemm"]


def check_kind(kind: str | None, task: NodeTask | None) -> None:
    """Raises ConfigError for an unknown kind, or where there is no task to measure its accuracy on."""
    if kind is None:
        return
    if kind not in KINDS:
        raise ConfigError(f"int8={kind!r} in graphstill.export: give 'dynamic' or 'static' ({nearest(kind, KINDS)})")
    if task is None:
        raise ConfigError(
            f"int8={kind!r} without a task, in graphstill.export: accuracy after rounding is measured on validation "
            "nodes, never assumed; give task="
        )


def quantize(model: bytes, kind: str, calibration: Sequence[Mapping[str, Array]] = ()) -> bytes:
    """The network with int8 weights, a scale for each output channel, and its products in integers.

    Args:
        kind: "dynamic" finds the range of what enters each product anew in every call; "static" takes the range that
            it has on ``calibration``, feeds of the network.

    7 of the 8 bits are used: with all of them, products overflow 16 bits on processors without integer dot products
    (AVX2), and the same file would give other logits there.
    """
    tools = needed("onnxruntime.quantization")
    common = {
        "op_types_to_quantize": OPERATORS,
        "per_channel": True,
        "reduce_range": True,
        "weight_type": tools.QuantType.QInt8,
    }
    with tempfile.TemporaryDirectory() as folder, quiet():
        before, after = Path(folder) / "model.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(model)
        if kind == "dynamic":
            tools.quantize_dynamic(before, after, **common)
        else:
            tools.quantize_static(
                before,
                after,
                _reader(tools, calibration),
                quant_format=tools.QuantFormat.QOperator,
                activation_type=tools.QuantType.QUInt8,
                **common,
            )
        return after.read_bytes()


def calibration_feeds(task: NodeTask, inputs: Sequence[str]) -> list[dict[str, Array]]:
    """What a network of these inputs sees of the training graphs, without any validation or test node.

    Of one graph, the part between its other nodes (training nodes, and those without a label that counts).
    """
    feeds = []
    for batch in task.training_graphs():
        held = torch.cat([task.val_index, task.test_index])
        kept = (~torch.isin(batch.nodes, held)).nonzero().view(-1)
        graph = induced_graph(batch.graph, kept)
        feeds.append(feed(inputs, as_array(select_rows(batch.x, kept)), graph.edge_index().numpy()))
    return feeds


def feed(inputs: Sequence[str], x: Array, edge_index: Array) -> dict[str, Array]:
    """The named inputs of an exported network on a whole graph."""
    apart = edge_index[0] != edge_index[1]
    degree = np.bincount(edge_index[1][apart], minlength=len(x)).astype(np.float32)
    known = {"x": x, "edge_index": edge_index, "degree": degree}
    return {name: known[name] for name in inputs}


def as_array(x: SparseFeatures | torch.Tensor) -> Array:
    """Dense float32."""
    dense = x.to_dense() if isinstance(x, SparseFeatures) else x
    return np.ascontiguousarray(dense.cpu().float().numpy())


def _reader(tools: Any, feeds: Sequence[Mapping[str, Array]]) -> Any:
    class Reader(tools.CalibrationDataReader):
        def __init__(self) -> None:
            self._rest: Iterator[Mapping[str, Array]] = iter(feeds)

        def get_next(self) -> Mapping[str, Array] | None:
            return next(self._rest, None)

    return Reader()
