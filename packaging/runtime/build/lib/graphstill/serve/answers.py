"""What is asked: about nodes of the graph that is loaded, a subgraph that comes with the request, or images."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphstill.runtime import scores
from graphstill.serve import payload
from graphstill.serve.limits import Limits
from graphstill.serve.refusal import Refusal
from graphstill.serve.store import GraphStore

if TYPE_CHECKING:
    from graphstill.runtime import ImagePredictor, Predictor
    from graphstill.runtime.opening import AnyPredictor

NODES_KEYS = ("nodes", "probabilities")
IMAGES_KEYS = ("images", "probabilities")
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


def about_images(body: bytes, predictor: ImagePredictor, limits: Limits) -> bytes:
    """Predictions for {"images": bytes in base64, "probabilities": bool}, as JSON."""
    asked = payload.parse(body, IMAGES_KEYS, ["images"])
    probabilities = payload.flag(asked, "probabilities")
    images = payload.images(asked["images"], predictor.shape, limits.nodes)
    return _json(predictor, {}, predictor.logits(images), probabilities)


def _answer(
    predictor: Predictor, nodes: npt.NDArray[np.int64], logits: npt.NDArray[np.float32], probabilities: bool
) -> bytes:
    if not np.isfinite(logits).all():
        raise Refusal(422, "The prediction is not finite. Where: x. Send features of the size that it was trained on.")
    return _json(predictor, {"nodes": nodes.tolist()}, logits, probabilities)


def _json(
    predictor: AnyPredictor, answer: dict[str, Any], logits: npt.NDArray[np.float32], probabilities: bool
) -> bytes:
    several = bool(predictor.manifest["multi_label"])
    answer["predictions"] = scores.labels(logits, several).tolist()
    if probabilities:
        answer["probabilities"] = scores.probabilities(logits, several).tolist()
    return json.dumps(answer, allow_nan=False).encode()
