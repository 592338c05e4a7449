"""A real uvicorn server in a thread, on a free port, and a real client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from graphstill.runtime import Graph
from graphstill.serve import GraphStore, Limits, create_app
from graphstill.serve.server import bind, make_server, url_of
from tests.serve.stand_in import StandIn, arrays

Connect = Callable[..., httpx.Client]


@contextmanager
def running(predictor: Any, store: GraphStore | None, limits: Limits) -> Iterator[str]:
    """The URL of a server that runs for the length of the block."""
    listener = bind("127.0.0.1", 0)
    server = make_server(create_app(predictor, store, limits), limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield url_of(listener)
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def connect() -> Iterator[Connect]:
    """`connect(predictor, limits)`: a client of a new server with the graph of `stand_in.arrays`."""
    with ExitStack() as open_ones:

        def new(predictor: Any, limits: Limits | None = None, graph: bool = True) -> httpx.Client:
            x, edges = arrays()
            store = GraphStore(x, Graph(edges, len(x)), len(x), edges.shape[1]) if graph else None
            url = open_ones.enter_context(running(predictor, store, limits or Limits(workers=2)))
            return open_ones.enter_context(httpx.Client(base_url=url, timeout=20, trust_env=False))

        yield new


@pytest.fixture(scope="module")
def client(connect: Connect) -> httpx.Client:
    """Of a server with the stand-in and small limits."""
    limits = Limits(body_bytes=20_000, nodes=50, edges=40, ids=10, workers=2)
    return connect(StandIn(), limits)
