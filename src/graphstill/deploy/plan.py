"""A network in evaluation as a short list of steps over named registers, whatever then executes it.

Each register is float32 ``[nodes, width]``. The first is ``"x"``, the last step makes ``"logits"``. There are four
kinds of step; :meth:`Plan.describe` says them as plain values, which is what an exported folder holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
INPUT, OUTPUT = "x", "logits"


@dataclass(frozen=True)
class Node:
    """One ONNX operator on rows, by name: no onnx is needed to make a plan."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Dense:
    """Everything between two looks at the graph that treats each row by itself.

    ``constants`` are the arrays that the nodes name besides registers and each other.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]


@dataclass(frozen=True)
class Project:
    """``output = x @ weight``, ``weight [features, width]``: apart from other products, because x may be sparse."""

    output: str
    weight: Array


@dataclass(frozen=True)
class Propagate:
    """``output[i] = sum over edges (j -> i) of w_ji input[j]``.

    ``norm``: ``"gcn"``: w = 1 / sqrt(d_j d_i), d the in-degree after the treatment of self-loops (0 where d is);
    ``"mean"``: 1 / d_i; ``"sum"``: 1. ``self_loops``: those that are there are removed and each node gets exactly one;
    else they are edges like any other. A repeated edge counts as often as it occurs.
    """

    input: str
    output: str
    norm: str
    self_loops: bool


@dataclass(frozen=True)
class Attend:
    """``output[i] = sum over j of alpha_ji value[j]`` for each head, heads side by side; each node has one self-loop.

    ``alpha`` is the softmax over the edges into i of ``leaky_relu(source[j] + target[i])``.
    """

    value: str
    source: str
    target: str
    output: str
    heads: int
    slope: float


Step = Dense | Project | Propagate | Attend
Item = Node | Project | Propagate | Attend


@dataclass(frozen=True)
class Plan:
    """Steps in the order of execution. ``features`` and ``outputs`` are the widths of x and of the logits."""

    features: int
    outputs: int
    steps: tuple[Step, ...]

    @property
    def hops(self) -> int:
        """Steps that look at the graph: from how far away a node's logits can be changed, at most."""
        return sum(isinstance(step, Propagate | Attend) for step in self.steps)

    @property
    def needs_degree(self) -> bool:
        return any(isinstance(step, Propagate) and step.norm == "gcn" for step in self.steps)

    def describe(self) -> list[dict[str, Any]]:
        """The steps as plain values; weights are named by the file that :meth:`files` says."""
        return [_describe(step, file) for step, file in self._with_files()]

    def files(self) -> Iterator[tuple[str, Dense | Project]]:
        """(path inside the folder, step) of each step that has weights of its own."""
        for step, file in self._with_files():
            if isinstance(step, Dense | Project):
                yield file, step

    def _with_files(self) -> Iterator[tuple[Step, str]]:
        dense = 0
        for step in self.steps:
            if isinstance(step, Project):
                yield step, f"parts/{step.output}.npy"
            elif isinstance(step, Dense):
                yield step, f"parts/{dense}.onnx"
                dense += 1
            else:
                yield step, ""


def _describe(step: Step, file: str) -> dict[str, Any]:
    if isinstance(step, Dense):
        return {"op": "dense", "file": file, "in": list(step.inputs), "out": list(step.outputs)}
    if isinstance(step, Project):
        return {"op": "project", "in": INPUT, "out": step.output, "weight": file}
    if isinstance(step, Propagate):
        return {
            "op": "propagate",
            "in": step.input,
            "out": step.output,
            "norm": step.norm,
            "self_loops": step.self_loops,
        }
    return {
        "op": "attend",
        "in": [step.value, step.source, step.target],
        "out": step.output,
        "heads": step.heads,
        "slope": step.slope,
        "self_loops": True,
    }


def side_by_side(weight: Array) -> Array:
    """``[members, in, out]`` as one matrix ``[in, members * out]``."""
    members, inputs, outputs = weight.shape
    return np.ascontiguousarray(weight.transpose(1, 0, 2).reshape(inputs, members * outputs))


class PlanBuilder:
    """Collects the steps of a network. Registers hold M members side by side, ``[nodes, M * width]``.

    Stacked weights are ``[M, in, out]``, stacked biases ``[M, out]``, as the cohorts have them.
    """

    def __init__(self, features: int) -> None:
        self.features = features
        self._items: list[Item] = []
        self._constants: dict[str, Array] = {}
        self._count = 0

    def products(self, h: str, weights: Sequence[Array]) -> list[str]:
        """``h @ W`` of each member for several W with the same input, as one product; a register each."""
        members = len(weights[0])
        widths = [weight.shape[2] for weight in weights]
        if h == INPUT or members == 1:
            wide = np.concatenate([side_by_side(weight) for weight in weights], axis=1)
            product = self._project(wide) if h == INPUT else self.node("MatMul", h, self.constant(wide))
            return self.split(product, [members * width for width in widths])
        own = self.split(h, [weights[0].shape[1]] * members)
        parts = []
        for i, part in enumerate(own):
            wide = np.concatenate([weight[i] for weight in weights], axis=1)
            parts.append(self.split(self.node("MatMul", part, self.constant(wide)), widths))
        return [self.node("Concat", *same, axis=1) for same in zip(*parts, strict=True)]

    def linear(self, h: str, weight: Array, bias: Array) -> str:
        """``h W + b`` of each member. Of x the product is a step of its own."""
        if h == INPUT:
            return self.add(self.products(h, [weight])[0], bias)
        own = self.split(h, [weight.shape[1]] * len(weight))
        bias = bias.reshape(len(weight), -1)
        parts = [
            self.node("Gemm", part, self.constant(weight[i]), self.constant(bias[i])) for i, part in enumerate(own)
        ]
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=1)

    def split(self, h: str, widths: Sequence[int], axis: int = 1) -> list[str]:
        if len(widths) == 1:
            return [h]
        return list(self.nodes("Split", h, self.constant(np.asarray(widths)), outputs=len(widths), axis=axis))

    def add(self, h: str, other: str | Array) -> str:
        """Plus a register, or a stacked bias ``[M, width]``."""
        return self.node("Add", h, other if isinstance(other, str) else self.constant(other.reshape(-1)))

    def scale(self, h: str, factor: float) -> str:
        return self.node("Mul", h, self.constant(np.float32(factor)))

    def propagate(self, h: str, norm: str, self_loops: bool) -> str:
        output = self._name("a")
        self._items.append(Propagate(h, output, norm, self_loops))
        return output

    def attend(self, value: str, source: str, target: str, heads: int, slope: float) -> str:
        output = self._name("a")
        self._items.append(Attend(value, source, target, output, heads, slope))
        return output

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.nodes(op, *inputs, outputs=1, **attributes)[0]

    def nodes(self, op: str, *inputs: str, outputs: int, **attributes: Any) -> tuple[str, ...]:
        made = tuple(self._name("h") for _ in range(outputs))
        self._items.append(Node(op, inputs, made, attributes))
        return made

    def constant(self, value: Array | np.generic) -> str:
        name = self._name("c")
        array = np.asarray(value)
        self._constants[name] = np.ascontiguousarray(array, np.float32 if array.dtype.kind == "f" else np.int64)
        return name

    def finish(self, logits: str, outputs: int) -> Plan:
        """The plan whose output is ``logits``; neighbouring operators on rows become one step."""
        steps: list[Step] = []
        rows: list[Node] = []
        # Products of x wait for nothing: in front, they do not cut the operators around them into two steps.
        items = sorted(map(partial(_named, logits), self._items), key=lambda item: not isinstance(item, Project))
        for place, item in enumerate(items):
            if isinstance(item, Node):
                rows.append(item)
                continue
            if rows:
                steps.append(self._dense(rows, _used(items[place:])))
                rows = []
            steps.append(item)
        steps.append(self._dense(rows, {OUTPUT}))
        return Plan(self.features, outputs, tuple(steps))

    def _project(self, weight: Array) -> str:
        output = self._name("p")
        self._items.append(Project(output, np.ascontiguousarray(weight, np.float32)))
        return output

    def _dense(self, nodes: Sequence[Node], later: set[str]) -> Dense:
        made = {name for node in nodes for name in node.outputs}
        read = list(dict.fromkeys(name for node in nodes for name in node.inputs))
        constants = {name: self._constants[name] for name in read if name in self._constants}
        inputs = tuple(name for name in read if name not in made and name not in constants)
        outputs = tuple(name for node in nodes for name in node.outputs if name in later)
        return Dense(inputs, outputs, tuple(nodes), constants)

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}{self._count}"


def _named(logits: str, item: Item) -> Item:
    """The operator that makes the logits, making them under their own name."""
    if isinstance(item, Node) and logits in item.outputs:
        return replace(item, outputs=tuple(OUTPUT if name == logits else name for name in item.outputs))
    return item


def _used(items: Sequence[Item]) -> set[str]:
    """Registers that these items read."""
    found: set[str] = set()
    for item in items:
        if isinstance(item, Node):
            found |= set(item.inputs)
        elif isinstance(item, Propagate):
            found.add(item.input)
        elif isinstance(item, Attend):
            found |= {item.value, item.source, item.target}
    return found
