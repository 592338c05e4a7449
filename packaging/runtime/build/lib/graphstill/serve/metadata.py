"""What GET /metadata tells, and what /openapi.json says about a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from graphstill.serve.limits import Limits
from graphstill.serve.store import GraphStore

if TYPE_CHECKING:
    from graphstill.runtime.opening import AnyPredictor

#: How to compute, and what was measured case by case: in the manifest itself.
INNER = ("plan", "tolerance", "parity")


def metadata(predictor: AnyPredictor, store: GraphStore | None, limits: Limits) -> dict[str, Any]:
    """The manifest but its inner parts, of its files the hashes, the engine in use, the graph, the limits."""
    told = {key: value for key, value in predictor.manifest.items() if key not in INNER}
    return told | {
        "files": {name: entry["sha256"] for name, entry in told["files"].items()},
        "engine": predictor.engine,
        "needs_graph": predictor.needs_graph,
        "graph": None if store is None else {"nodes": store.num_nodes, "edges": store.num_edges},
        "limits": asdict(limits),
    }


def request_schema(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    """The OpenAPI description of a JSON body."""
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def ids(limit: int) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": limit}


def rows(width: int, limit: int) -> dict[str, Any]:
    row = {"type": "array", "items": {"type": "number"}, "minItems": width, "maxItems": width}
    return {"type": "array", "items": row, "minItems": 1, "maxItems": limit}


def encoded(what: str) -> dict[str, Any]:
    return {"type": "string", "contentEncoding": "base64", "description": what}


def pairs(limit: int) -> dict[str, Any]:
    ends = {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": limit}
    return {"type": "array", "items": ends, "minItems": 2, "maxItems": 2, "description": "sources, targets"}
