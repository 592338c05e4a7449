"""The two questions: about nodes of the graph that is loaded, and about a subgraph that comes with the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphstill.serve import payload
from graphstill.serve.limits import Limits
from graphstill.serve.refusal import Refusal
from graphstill.serve.store import GraphStore

if TYPE_CHECKING:
    from graphstill.runtime import Predictor

NODES_KEYS = ("nodes", "probabilities")
SUBGRAPH_KEYS = ("x", "edge_index", "nodes", "probabilities")


def about_nodes(body: bytes, predictor: Predictor, store: GraphStore, limits: Limits) -> bytes:
    """Predictions for {"nodes": [ids], "probabilities": bool}, as JSON."""
    asked = payload.parse(body, NODES_KEYS, ["nodes"])
    probabilities = payload.flag(asked, "probabilities")
    nodes = payload.node_ids(asked["nodes"], store.num_nodes, limits.ids)
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        logits = predictor.logits(store.x, store.graph, nodes)
    return _answer(predictor, nodes, logits, probabilities)


def about_subgraph(body: bytes, predictor: Predictor, limits: Limits) -> bytes:
    """Predictions for {"x": rows, "edge_index": [sources, targets], "nodes": ids, "probabilities": bool}, as JSON.

    All nodes of the subgraph where `nodes` is left out.
    """
    from graphstill.runtime import Graph

    needed = ["x", "edge_index"] if predictor.needs_graph else ["x"]
    asked = payload.parse(body, SUBGRAPH_KEYS, needed)
    probabilities = payload.flag(asked, "probabilities")
    x = payload.features(asked["x"], predictor.features, limits.nodes)
    graph = None
    if "edge_index" in asked:
        edges = payload.edges(asked["edge_index"], len(x), limits.edges)
        graph = Graph(edges, len(x)) if predictor.needs_graph else None
    nodes = np.arange(len(x))
    if "nodes" in asked:
        nodes = payload.node_ids(asked["nodes"], len(x), limits.nodes)
    with np.errstate(over="ignore", invalid="ignore"):  # checked below
        logits = predictor.logits(predictor.prepare(x), graph, nodes)
    return _answer(predictor, nodes, logits, probabilities)


def _answer(
    predictor: Predictor, nodes: npt.NDArray[np.int64], logits: npt.NDArray[np.float32], probabilities: bool
) -> bytes:
    if not np.isfinite(logits).all():
        raise Refusal(422, "The prediction is not finite. Where: x. Send features of the size that it was trained on.")
    several = bool(predictor.manifest["multi_label"])
    labels = (logits > 0).astype(int) if several else logits.argmax(axis=1)
    answer: dict[str, Any] = {"nodes": nodes.tolist(), "predictions": labels.tolist()}
    if probabilities:
        answer["probabilities"] = (_sigmoid(logits) if several else _softmax(logits)).tolist()
    return json.dumps(answer, allow_nan=False).encode()


def _softmax(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _sigmoid(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return 0.5 + 0.5 * np.tanh(0.5 * logits)  # never overflows
