"""What one server accepts, so that no request can take all of its memory or time."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from graphstill.environment import available_cores
from graphstill.errors import ConfigError


@dataclass(frozen=True)
class Limits:
    """Bounds of a server.

    Args:
        body_bytes: of one request. JSON is parsed in one piece while Python does nothing else: 0.4 s for 16 MiB.
        nodes, edges: of a subgraph that a request brings along; of images, `nodes` counts those of a request.
        ids: nodes that one request asks for.
        workers: predictions that run at the same time; by default one a core.
        waiting: requests that may wait for a worker; the next one is answered 503. At most `workers + waiting` bodies
            are in memory.
        body_seconds: for a body to arrive.

    Raises:
        ConfigError: a bound below 1 (`waiting`: below 0).
    """

    body_bytes: int = 16 * 2**20
    nodes: int = 20_000
    edges: int = 1_000_000
    ids: int = 10_000
    workers: int = field(default_factory=available_cores)
    waiting: int = 64
    body_seconds: float = 30.0

    def __post_init__(self) -> None:
        for bound in fields(self):
            value, least = getattr(self, bound.name), 0 if bound.name == "waiting" else 1
            if value < least:
                raise ConfigError(f"{bound.name}={value!r} in Limits: give a number of at least {least}")
