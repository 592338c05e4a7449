"""What executes an exported student: one ONNX file for all of it, or its plan, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphstill.errors import ExportError
from graphstill.runtime.area import Area
from graphstill.runtime.features import Features
from graphstill.runtime.jagged import Floats
from graphstill.runtime.manifest import MODELS, inside
from graphstill.runtime.ops import attend, propagate
from graphstill.runtime.schema import FIELDS, KINDS

LOOKS_AT_GRAPH = ("propagate", "attend")
NORMS = ("gcn", "mean", "sum")


@dataclass(frozen=True)
class Step:
    """One step of a plan: what it reads and writes, and for how many hops around the nodes asked for."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    radius: int
    options: Mapping[str, Any]


class Plan:
    """The steps of a folder's plan, checked, and how far each has to look.

    Attributes:
        hops: from how many edges away a node's logits can change.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]], where: Path) -> None:
        for number, step in enumerate(steps):
            _check(step, number, where)
        needed = {"logits": 0}
        found = []
        for step in reversed(steps):
            inputs, outputs = _names(step["in"]), _names(step["out"])
            radius = max(needed.get(name, 0) for name in outputs)
            for name in inputs:
                needed[name] = max(needed.get(name, 0), radius + (step["op"] in LOOKS_AT_GRAPH))
            found.append(Step(step["op"], inputs, outputs, radius, step))
        self.steps = tuple(reversed(found))
        known = {"x"}
        for number, ready in enumerate(self.steps):
            if not known.issuperset(ready.inputs):
                _refuse(
                    f"step {number} reads {sorted(set(ready.inputs) - known)}, which no step before it makes", where
                )
            known.update(ready.outputs)
        if "logits" not in known:
            _refuse("no step makes 'logits'", where)
        self.hops = needed.get("x", 0)
        self.needs_graph = any(step.op in LOOKS_AT_GRAPH for step in self.steps)


class SplitEngine:
    """The plan: products of sparse features and sums over neighbours in NumPy, all between them in ONNX Runtime.

    Each step is done only for the nodes that a later one still reads.
    """

    def __init__(self, directory: Path, plan: Plan, threads: int) -> None:
        self.plan = plan
        self._parts: dict[str, Any] = {}
        for step in plan.steps:
            if step.op == "dense":
                name = step.options["file"]
                self._parts[name] = session = open_session(inside(directory, name), threads)
                check_ports(session, step.inputs, step.outputs, name, directory)
            elif step.op == "project":
                name = step.options["weight"]
                self._parts[name] = _weight(inside(directory, name))

    def __call__(self, x: Floats | Features, area: Area) -> Floats:
        """Logits of the first ``area.size(0)`` nodes."""
        registers: dict[str, Any] = {"x": x}
        for step in self.plan.steps:
            options, rows = step.options, area.size(step.radius)
            inputs = [registers[name] for name in step.inputs]
            if step.op != "project":
                inputs = [h.dense() if isinstance(h, Features) else h for h in inputs]
            if step.op == "project":
                weight = self._parts[options["weight"]]
                h = inputs[0]
                made = [h.project(weight) if isinstance(h, Features) else h[:rows] @ weight]
            elif step.op == "propagate":
                made = [propagate(area, inputs[0], rows, options["norm"], options["self_loops"])]
            elif step.op == "attend":
                h, source, target = inputs
                made = [attend(area, h, source, target, rows, options["slope"], options["self_loops"])]
            else:
                feeds = {name: h[:rows] for name, h in zip(step.inputs, inputs, strict=True)}
                made = self._parts[options["file"]].run(list(step.outputs), feeds)
            registers.update(zip(step.outputs, made, strict=True))
        logits: Floats = registers["logits"]
        return logits


class OnnxEngine:
    """One ONNX file for the whole network. Sparse features are made dense."""

    def __init__(self, directory: Path, engine: str, plan: Plan | None, threads: int) -> None:
        self.session = open_session(inside(directory, MODELS[engine]), threads)
        self.inputs = {port.name for port in self.session.get_inputs()}
        unknown = self.inputs - {"x", "edge_index", "degree"}
        if unknown:
            raise ExportError(f"{MODELS[engine]} asks for {sorted(unknown)}. Where: {directory}. Export again.")
        check_ports(self.session, sorted(self.inputs), ["logits"], MODELS[engine], directory)

    def __call__(self, x: Floats | Features, area: Area) -> Floats:
        """Logits of the first ``area.size(0)`` nodes."""
        feeds: dict[str, Any] = {"x": x.dense() if isinstance(x, Features) else x}
        if "edge_index" in self.inputs:
            feeds["edge_index"] = area.edge_index
        if "degree" in self.inputs:
            feeds["degree"] = (area.degree - area.loops).astype(np.float32)
        logits: Floats = self.session.run(["logits"], feeds)[0]
        return logits[: area.size(0)]


def open_session(path: Path, threads: int) -> Any:
    """An ONNX file on the CPU: ``threads`` within an operator, one operator at a time.

    Raises:
        ExportError: onnxruntime is not installed, or it refuses the file.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ExportError(
            f"onnxruntime is not installed ({error}). Where: {path}. Run: pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4  # what fails is raised as well
    # A split student has several sessions: threads of one must not burn the time of another while they wait.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base in common
        raise ExportError(
            f"ONNX Runtime {onnxruntime.__version__} refuses {path.name}: {error}. Where: {path.parent}. "
            "Run `graphstill verify`, update onnxruntime, or export the student again."
        ) from error


def check_ports(session: Any, inputs: Sequence[str], outputs: Sequence[str], name: str, directory: Path) -> None:
    """Raises ExportError where an ONNX file does not take and give what the folder says."""
    takes, gives = ({port.name for port in ports} for ports in (session.get_inputs(), session.get_outputs()))
    if takes != set(inputs) or not gives.issuperset(outputs):
        raise ExportError(
            f"{name} takes {sorted(takes)} and gives {sorted(gives)}, the folder says {sorted(inputs)} and "
            f"{sorted(outputs)}. Where: {directory}. Export the student again."
        )


def _weight(path: Path) -> Floats:
    try:
        weight = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError) as error:
        raise ExportError(f"{path.name} cannot be read: {error}. Where: {path}. Export the student again.") from error
    if weight.dtype != np.float32 or weight.ndim != 2:
        raise ExportError(
            f"{path.name} is {weight.dtype} {list(weight.shape)}, no float32 matrix. Where: {path}. Export again."
        )
    made: Floats = np.ascontiguousarray(weight)
    return made


def _check(step: object, number: int, where: Path) -> None:
    if not isinstance(step, dict) or not isinstance(step.get("op"), str) or step["op"] not in FIELDS:
        _refuse(f"step {number} is {step!r:.80}, its 'op' is none of {', '.join(FIELDS)}", where)
        return
    for key, fits in FIELDS[step["op"]].items():
        if not fits(step.get(key)):
            _refuse(f"step {number} ({step['op']}): {key!r} is {step.get(key)!r:.80}, {KINDS[fits]}", where)
    if step["op"] == "attend" and step["slope"] > 1:
        _refuse(f"step {number}: slope {step['slope']} is above 1", where)
    if step["op"] == "propagate" and step["norm"] not in NORMS:
        _refuse(f"step {number}: norm {step['norm']!r} is none of {', '.join(NORMS)}", where)


def _refuse(what: str, where: Path) -> None:
    raise ExportError(f"the plan cannot be executed: {what}. Where: {where}. Export the student again.")


def _names(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
