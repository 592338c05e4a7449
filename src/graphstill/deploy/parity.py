"""Whether what was exported computes what was trained: the condition for writing anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch

from graphstill.deploy.layers import layer_named_in, layer_of
from graphstill.deploy.plan import Array
from graphstill.errors import ExportError
from graphstill.ops import Adjacency, SparseFeatures

TOLERANCE = 1e-4
#: Cases with at most this many nodes are kept with the export, to be run again elsewhere.
PROBE_NODES = 64

Network = Callable[[SparseFeatures | torch.Tensor, Adjacency], torch.Tensor]


class Checked(Protocol):
    """What parity is measured on: an input that has a name, and torch's logits for it."""

    kind: ClassVar[str]

    @property
    def name(self) -> str: ...

    @property
    def logits(self) -> Array: ...

    @property
    def size(self) -> dict[str, int]: ...


C = TypeVar("C", bound=Checked)


@dataclass(frozen=True, eq=False)
class Case:
    """An input and what torch makes of it.

    Shapes:
        x: ``[nodes, features]``. edge_index: int64 ``[2, edges]``. logits: float32 ``[nodes, outputs]``.
    """

    kind: ClassVar[str] = "a graph with"
    name: str
    x: SparseFeatures | torch.Tensor
    edge_index: Array
    logits: Array

    @property
    def size(self) -> dict[str, int]:
        return {"nodes": len(self.x), "edges": int(self.edge_index.shape[1])}

    @property
    def probe(self) -> bool:
        return len(self.x) <= PROBE_NODES and isinstance(self.x, torch.Tensor)


def made_cases(network: Network, features: int, seed: int = 0) -> list[Case]:
    """Graphs with everything that went wrong somewhere: three sizes, then smaller ones than any before.

    Edges are directed, in random order, some of them repeated; features are mostly zero.
    """
    rng = np.random.default_rng(seed)

    def graph(nodes: int, edges: int) -> Array:
        return rng.integers(nodes, size=(2, edges))

    loops = np.repeat(np.arange(0, 20, 3), 2)
    twice = graph(20, 40)
    inputs = [
        ("300 nodes", 300, graph(300, 1500)),
        ("64 nodes", 64, graph(64, 200)),
        ("40 nodes, half of them isolated", 40, graph(20, 60)),
        ("20 nodes, repeated edges and self-loops", 20, np.concatenate([twice, twice, [loops, loops]], axis=1)),
        ("9 nodes, no edges", 9, graph(9, 0)),
        ("5 nodes, smaller than all before", 5, graph(5, 7)),
        ("a single node", 1, graph(1, 0)),
        ("a single node with a self-loop", 1, graph(1, 1)),
    ]
    share = max(0.05, min(0.5, 20 / features))
    cases = []
    for name, nodes, edge_index in inputs:
        values = rng.standard_normal((nodes, features)) * (rng.random((nodes, features)) < share)
        cases.append(case_of(name, network, torch.from_numpy(values.astype(np.float32)), edge_index))
    return cases


@torch.no_grad()
def case_of(name: str, network: Network, x: SparseFeatures | torch.Tensor, edge_index: Array) -> Case:
    """A case with torch's logits.

    Raises:
        ExportError: the network itself fails on it, or gives NaN or infinity: there is nothing to compare with.
    """
    graph = Adjacency.from_edge_index(torch.from_numpy(edge_index), len(x))
    remedy = "nothing was written; a network that is served has to answer for such a graph: make its forward do so"
    try:
        logits = network(x, graph).float().numpy()
    except Exception as error:
        raise ExportError(
            f"the network itself, in torch, fails on {Case.kind} {name}{layer_of(error)} ({type(error).__name__}: "
            f"{first_line(error)}): {remedy}"
        ) from error
    if not np.isfinite(logits).all():
        raise ExportError(f"the network itself, in torch, gives NaN or infinity on {Case.kind} {name}: {remedy}")
    return Case(name, x, edge_index, logits)


def first_line(error: BaseException) -> str:
    """Of what an error says, or its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def difference(found: Array, expected: Array) -> float:
    """The largest difference: absolute where logits are at most 1, in parts of the largest logit above."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max(initial=0.0) / max(1.0, np.abs(expected).max(initial=0.0)))


def agreement(found: Array, expected: Array, multi_label: bool) -> float:
    """Share of equal predictions: of classes, or of single labels."""
    if multi_label:
        return float(((found > 0) == (expected > 0)).mean())
    return float((found.argmax(1) == expected.argmax(1)).mean())


def measure(run: Callable[[C], Array], cases: Sequence[C], multi_label: bool, engine: str) -> list[dict[str, Any]]:
    """The figures of one engine on each case.

    Raises:
        ExportError: the engine fails on a case; its reason is in the message.
    """
    rows = []
    for case in cases:
        try:
            found = run(case)
        except Exception as error:
            raise ExportError(
                f"engine {engine!r} fails on {case.kind} {case.name}{layer_named_in(str(error))} "
                f"({type(error).__name__}: {first_line(error)}): nothing was written; a module of your own has to work "
                "on such inputs after torch.onnx.export: use another layer there, or write it in other operations"
            ) from error
        rows.append(
            {
                "case": case.name,
                **case.size,
                "difference": difference(found, case.logits),
                "agreement": agreement(found, case.logits, multi_label),
            }
        )
    return rows


def check(rows: Sequence[dict[str, Any]], engine: str, tolerance: float = TOLERANCE, kind: str = Case.kind) -> None:
    """Raises ExportError where an engine is further from torch than the tolerance; it names the worst case."""
    worst = max(rows, key=lambda row: float(row["difference"]))
    if not worst["difference"] <= tolerance:
        raise ExportError(
            f"engine {engine!r} differs from the trained network by {worst['difference']:.2g} on {kind} "
            f"{worst['case']}, more than {tolerance:g}: nothing was written; of a module of your own, look for what "
            "its forward takes from the size of its input, which torch.onnx.export may fix (flips, slices, numbers "
            "made of shapes); of a network of the zoo, report the model's options, or give another member="
        )


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The worst of all cases."""
    return {
        "difference": max(float(row["difference"]) for row in rows),
        "agreement": min(float(row["agreement"]) for row in rows),
    }


def told(cases: Sequence[Checked], worst: Mapping[str, Any], every: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of it: of each engine the summary, and the figures of every case."""
    return {"tolerance": TOLERANCE, "engines": worst, "cases": [case.name for case in cases], "every": every}
