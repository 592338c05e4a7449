"""An exported student of images written by hand: the mean of each channel, and a product."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from graphstill.runtime.manifest import write_manifest
from graphstill.runtime.probe import ImageCase, write_probe
from tests.runtime.folders import node

Array = np.ndarray[Any, Any]
CHANNELS, HEIGHT, WIDTH, CLASSES = 3, 4, 5, 2
WEIGHT = np.random.default_rng(3).standard_normal((CHANNELS, CLASSES)).astype(np.float32)


def images(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(256, size=(count, CHANNELS, HEIGHT, WIDTH), dtype=np.uint8)


def formula(x: Array) -> Array:
    logits: Array = ((x / 255).mean((2, 3)) @ WEIGHT).astype(np.float32)
    return logits


def write(directory: Path, **manifest: Any) -> Path:
    """A folder with everything that the runtime reads."""
    directory.mkdir(parents=True)
    (directory / "model.onnx").write_bytes(model())
    write_probe(directory, [ImageCase(images(n), formula(images(n))) for n in (1, 4)])
    known = {
        "format": 1,
        "image": {"channels": CHANNELS, "height": HEIGHT, "width": WIDTH, "class_names": ["ant", "bee"]},
        "features": CHANNELS,
        "classes": CLASSES,
        "multi_label": False,
        "feature_normalization": None,
        "engine": "onnx",
        "plan": [],
        "tolerance": {"onnx": 1e-5},
    }
    write_manifest(directory, {**known, **manifest})
    return directory


def model() -> bytes:
    nodes = [
        helper.make_node("Cast", ["images"], ["bytes"], to=TensorProto.FLOAT),
        node("Div", "bytes", "most", "x"),
        helper.make_node("ReduceMean", ["x", "axes"], ["pooled"], keepdims=0),
        node("MatMul", "pooled", "weight", "logits"),
    ]
    known = {"most": np.float32(255), "axes": np.array([2, 3]), "weight": WEIGHT}
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in known.items()]
    port = helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", CHANNELS, HEIGHT, WIDTH])
    end = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", CLASSES])
    graph = helper.make_graph(nodes, "toy", [port], [end], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString()
    return content
