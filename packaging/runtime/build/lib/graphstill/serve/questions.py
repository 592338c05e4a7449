"""What a server can be asked, by the kind of its student."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from graphstill.serve import answers
from graphstill.serve.limits import Limits
from graphstill.serve.metadata import encoded, ids, pairs, rows
from graphstill.serve.store import GraphStore

if TYPE_CHECKING:
    from graphstill.runtime import Predictor
    from graphstill.runtime.images import ImagePredictor
    from graphstill.runtime.opening import AnyPredictor

FLAG = {"type": "boolean"}


@dataclass(frozen=True)
class Question:
    """A path that takes a JSON object.

    Attributes:
        properties, required: of the object, for /openapi.json.
        answer: from the bytes of the object to those of the answer; None where there is no graph to ask about.
    """

    path: str
    properties: Mapping[str, Any]
    required: list[str]
    answer: Callable[[bytes], bytes] | None


def questions(predictor: AnyPredictor, store: GraphStore | None, limits: Limits) -> list[Question]:
    """About images, or about nodes of the graph that is loaded and of one that comes along."""
    from graphstill.runtime import ImagePredictor

    if isinstance(predictor, ImagePredictor):
        return [_images(predictor, limits)]
    return [_nodes(predictor, store, limits), _subgraph(predictor, limits)]


def _images(predictor: ImagePredictor, limits: Limits) -> Question:
    answer = partial(answers.about_images, predictor=predictor, limits=limits)
    images = encoded(f"uint8 [n, {', '.join(map(str, predictor.shape))}]")
    return Question("/predict/images", {"images": images, "probabilities": FLAG}, ["images"], answer)


def _nodes(predictor: Predictor, store: GraphStore | None, limits: Limits) -> Question:
    answer = None if store is None else partial(answers.about_nodes, predictor=predictor, store=store, limits=limits)
    return Question("/predict/nodes", {"nodes": ids(limits.ids), "probabilities": FLAG}, ["nodes"], answer)


def _subgraph(predictor: Predictor, limits: Limits) -> Question:
    properties = {
        "x": rows(predictor.features, limits.nodes),
        "edge_index": pairs(limits.edges),
        "nodes": ids(limits.nodes),
        "probabilities": FLAG,
    }
    required = ["x", "edge_index"] if predictor.needs_graph else ["x"]
    answer = partial(answers.about_subgraph, predictor=predictor, limits=limits)
    return Question("/predict/subgraph", properties, required, answer)
