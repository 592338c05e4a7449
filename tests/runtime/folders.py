"""Exported folders written by hand, and what they should answer, by dense formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from graphstill.runtime.manifest import write_manifest
from graphstill.runtime.probe import Case, write_probe

Array = np.ndarray[Any, Any]
FEATURES, HIDDEN, CLASSES, HEADS = 5, 6, 3, 2


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def weights() -> dict[str, Array]:
    """Of all models below; small, so that rounding stays small."""
    draw = rng()
    shapes = {
        "first": (FEATURES, HIDDEN),
        "bias": (HIDDEN,),
        "second": (HIDDEN, CLASSES),
        "last": (CLASSES,),
        "heads": (FEATURES, HEADS * CLASSES),
        "source": (HEADS, CLASSES),
        "target": (HEADS, CLASSES),
        "own": (FEATURES, CLASSES),
    }
    return {name: draw.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@dataclass(frozen=True)
class Toy:
    """A model: its plan, its dense parts, and the formula ``(x, A) -> logits``; A[i, j] counts the edges j -> i."""

    plan: list[dict[str, Any]]
    parts: dict[str, list[Any]]
    projections: dict[str, Array]
    formula: Callable[[Array, Array], Array]


def gcn(self_loops: bool = True) -> Toy:
    w = weights()
    look = {"op": "propagate", "norm": "gcn", "self_loops": self_loops}
    plan = [
        {"op": "project", "in": "x", "out": "p", "weight": "parts/p.npy"},
        {**look, "in": "p", "out": "a"},
        {"op": "dense", "file": "parts/0.onnx", "in": ["a"], "out": ["h"]},
        {**look, "in": "h", "out": "b"},
        {"op": "dense", "file": "parts/1.onnx", "in": ["b"], "out": ["logits"]},
    ]
    first = [node("Add", "a", "bias", "z"), node("Relu", "z", "r"), node("MatMul", "r", "second", "h")]

    def formula(x: Array, a: Array) -> Array:
        a = gcn_matrix(a, self_loops)
        return a @ (np.maximum(a @ x @ w["first"] + w["bias"], 0) @ w["second"]) + w["last"]

    parts = {"parts/0.onnx": first, "parts/1.onnx": [node("Add", "b", "last", "logits")]}
    return Toy(plan, parts, {"parts/p.npy": w["first"]}, formula)


def sums() -> Toy:
    """Mean, then sum, of edges as they are; the input is read again at the end, for fewer nodes."""
    w = weights()
    plan = [
        {"op": "project", "in": "x", "out": "p", "weight": "parts/p.npy"},
        {"op": "project", "in": "x", "out": "o", "weight": "parts/o.npy"},
        {"op": "propagate", "in": "p", "out": "a", "norm": "mean", "self_loops": False},
        {"op": "dense", "file": "parts/0.onnx", "in": ["a"], "out": ["h"]},
        {"op": "propagate", "in": "h", "out": "b", "norm": "sum", "self_loops": False},
        {"op": "dense", "file": "parts/1.onnx", "in": ["b", "o"], "out": ["logits"]},
    ]

    def formula(x: Array, a: Array) -> Array:
        mean = a / np.maximum(a.sum(1, keepdims=True), 1)
        return a @ (np.tanh(mean @ x @ w["first"]) @ w["second"]) + x @ w["own"]

    parts = {
        "parts/0.onnx": [node("Tanh", "a", "r"), node("MatMul", "r", "second", "h")],
        "parts/1.onnx": [node("Add", "b", "o", "logits")],
    }
    return Toy(plan, parts, {"parts/p.npy": w["first"], "parts/o.npy": w["own"]}, formula)


def gat() -> Toy:
    """One layer of two heads, averaged."""
    w = weights()
    plan = [
        {"op": "project", "in": "x", "out": "p", "weight": "parts/p.npy"},
        {"op": "dense", "file": "parts/0.onnx", "in": ["p"], "out": ["s", "t"]},
        {
            "op": "attend",
            "in": ["p", "s", "t"],
            "out": "a",
            "heads": HEADS,
            "slope": 0.2,
            "self_loops": True,
        },
        {"op": "dense", "file": "parts/1.onnx", "in": ["a"], "out": ["logits"]},
    ]
    scores = [node("MatMul", "p", "spread_source", "s"), node("MatMul", "p", "spread_target", "t")]

    def formula(x: Array, a: Array) -> Array:
        h = (x @ w["heads"]).reshape(len(x), HEADS, CLASSES)
        source, target = (h * w["source"]).sum(-1), (h * w["target"]).sum(-1)
        a = looped(a)[:, :, None]
        score = target[:, None] + source[None]
        score = np.where(score > 0, score, 0.2 * score)
        share = a * np.exp(score - np.where(a > 0, score, -np.inf).max(1, keepdims=True))
        return np.einsum("ijh,jhc->ihc", share / share.sum(1, keepdims=True), h).mean(1)

    parts = {"parts/0.onnx": scores, "parts/1.onnx": [node("MatMul", "a", "mean_of_heads", "logits")]}
    return Toy(plan, parts, {"parts/p.npy": w["heads"]}, formula)


def mlp() -> Toy:
    w = weights()
    plan = [
        {"op": "project", "in": "x", "out": "p", "weight": "parts/p.npy"},
        {"op": "dense", "file": "parts/0.onnx", "in": ["p"], "out": ["logits"]},
    ]
    nodes = [node("Add", "p", "bias", "z"), node("Relu", "z", "r"), node("MatMul", "r", "second", "logits")]

    def formula(x: Array, _: Array) -> Array:
        return np.maximum(x @ w["first"] + w["bias"], 0) @ w["second"]

    return Toy(plan, {"parts/0.onnx": nodes}, {"parts/p.npy": w["first"]}, formula)


TOYS: dict[str, Callable[[], Toy]] = {"gcn": gcn, "gcn-bare": lambda: gcn(False), "sums": sums, "gat": gat, "mlp": mlp}


def looped(a: Array) -> Array:
    """Exactly one self-loop a node."""
    return a * (1 - np.eye(len(a))) + np.eye(len(a))


def gcn_matrix(a: Array, self_loops: bool) -> Array:
    a = looped(a) if self_loops else a
    degree = a.sum(1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.maximum(degree, 1)), 0)
    return scale[:, None] * a * scale


def adjacency(edges: Array, nodes: int) -> Array:
    a = np.zeros((nodes, nodes))
    np.add.at(a, (edges[1], edges[0]), 1)
    return a


def node(op: str, *names: str) -> Any:
    """An operator; the last name is its output."""
    return helper.make_node(op, list(names[:-1]), [names[-1]])


def constants() -> dict[str, Array]:
    w = weights()
    spread = {
        f"spread_{end}": np.kron(np.eye(HEADS), np.ones((CLASSES, 1))) * w[end].reshape(-1, 1)
        for end in ("source", "target")
    }
    mean = np.tile(np.eye(CLASSES), (HEADS, 1)) / HEADS
    return {name: np.asarray(value, np.float32) for name, value in {**w, **spread, "mean_of_heads": mean}.items()}


def model(nodes: list[Any], inputs: dict[str, Any], outputs: list[str]) -> bytes:
    used = {name for one in nodes for name in one.input}
    known = {name: value for name, value in constants().items() if name in used}
    shapes = {"edge_index": [2, "edges"], "degree": ["nodes"]}
    ports = [
        helper.make_tensor_value_info(name, kind, shapes.get(name, ["nodes", f"width_{name}"]))
        for name, kind in inputs.items()
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["nodes", f"width_{name}"]) for name in outputs]
    tensors = [numpy_helper.from_array(value, name) for name, value in known.items()]
    graph = helper.make_graph(nodes, "toy", ports, ends, tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made)
    content: bytes = made.SerializeToString()
    return content


def whole_gcn(self_loops: bool) -> bytes:
    """The model `gcn` as one file: a dense adjacency from the edges, and the degrees that come from outside.

    Those leave self-loops out. Where none are added, the file counts those that are among its edges.
    """
    one, minus = (helper.make_tensor(name, TensorProto.INT64, [1], [value]) for name, value in (("o", 1), ("m", -1)))
    values = helper.make_tensor("v", TensorProto.FLOAT, [2], [0.0, 1.0])
    flat = [
        helper.make_node("Constant", [], ["one"], value=one),
        helper.make_node("Constant", [], ["minus"], value=minus),
        helper.make_node("Constant", [], ["off_on"], value=values),
        helper.make_node("Constant", [], ["one_f"], value=helper.make_tensor("f", TensorProto.FLOAT, [1], [1.0])),
        helper.make_node("Shape", ["x"], ["n"], start=0, end=1),
        helper.make_node("Split", ["edge_index"], ["js", "is"], axis=0, num_outputs=2),
        node("Reshape", "js", "minus", "j"),
        node("Reshape", "is", "minus", "i"),
        helper.make_node("OneHot", ["j", "n", "off_on"], ["from"], axis=-1),
        helper.make_node("OneHot", ["i", "n", "off_on"], ["to"], axis=0),
        node("MatMul", "to", "from", "counts"),
        node("EyeLike", "counts", "eye"),
        node("Mul", "counts", "eye", "loops"),
        node("Sub", "counts", "loops", "bare"),
        node("Add", "bare", "eye", "looped"),
        node("ReduceSum", "eye" if self_loops else "loops", "one", "extra"),
        node("Unsqueeze", "degree", "one", "column"),
        node("Add", "column", "extra", "d"),
        node("Max", "d", "one_f", "safe"),
        node("Sqrt", "safe", "root"),
        node("Min", "d", "one_f", "zero_or_one"),
        node("Div", "zero_or_one", "root", "scale"),
    ]

    def look(h: str, out: str) -> list[Any]:
        names = [f"{out}{i}" for i in range(2)]
        return [
            node("Mul", h, "scale", names[0]),
            node("MatMul", "looped" if self_loops else "counts", names[0], names[1]),
            node("Mul", names[1], "scale", out),
        ]

    toy = gcn(self_loops)
    nodes = [*flat, node("MatMul", "x", "first", "p"), *look("p", "a"), *toy.parts["parts/0.onnx"], *look("h", "b")]
    inputs = {"x": TensorProto.FLOAT, "edge_index": TensorProto.INT64, "degree": TensorProto.FLOAT}
    return model([*nodes, *toy.parts["parts/1.onnx"]], inputs, ["logits"])


def write(directory: Path, name: str = "gcn", **manifest: Any) -> Path:
    """A folder with everything the runtime reads."""
    toy = TOYS[name]()
    (directory / "parts").mkdir(parents=True)
    for file, nodes in toy.parts.items():
        (step,) = (step for step in toy.plan if step.get("file") == file)
        content = model(nodes, dict.fromkeys(step["in"], TensorProto.FLOAT), step["out"])
        (directory / file).write_bytes(content)
    for file, weight in toy.projections.items():
        np.save(directory / file, weight)
    if name in ("gcn", "gcn-bare"):
        for file in ("model.onnx", "model.int8.onnx"):
            (directory / file).write_bytes(whole_gcn(name == "gcn"))
    write_probe(directory, [case(toy, nodes, edges) for nodes, edges in ((1, 0), (4, 3), (9, 30))])
    known = {
        "format": 1,
        "features": FEATURES,
        "classes": CLASSES,
        "multi_label": False,
        "feature_normalization": "row",
        "engine": "split",
        "plan": toy.plan,
        "tolerance": {"onnx": 1e-5, "split": 1e-5, "int8": 1e-2},
    }
    write_manifest(directory, {**known, **manifest})
    return directory


def case(toy: Toy, nodes: int, edges: int) -> Case:
    draw = rng()
    x = draw.standard_normal((nodes, FEATURES)).astype(np.float32)
    edge_index = draw.integers(0, nodes, (2, edges))
    return Case(x, edge_index, toy.formula(x, adjacency(edge_index, nodes)).astype(np.float32))


@st.composite
def graphs(draw: st.DrawFn, most: int = 12) -> tuple[Array, Array]:
    """Features and edges; isolated nodes, self-loops and repeated edges are all likely."""
    nodes = draw(st.integers(1, most))
    ends = st.integers(0, nodes - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=3 * most))
    edges = np.array(pairs, np.int64).reshape(-1, 2).T
    x = np.random.default_rng(draw(st.integers(0, 99))).standard_normal((nodes, FEATURES)).astype(np.float32)
    return np.where(np.abs(x) > 0.7, x, 0), edges
