"""A running server: bound before anything is promised, stopped by Ctrl-C or SIGTERM after the last answer."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphstill.errors import ConfigError, ServeError
from graphstill.serve.app import MISSING, create_app
from graphstill.serve.limits import Limits
from graphstill.serve.store import GraphStore

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

#: Connections beyond what may wait, for /health and /metadata, and for refusals.
SPARE_CONNECTIONS = 200
#: For running predictions to end after a signal.
GRACE_SECONDS = 30


def serve(
    directory: str | Path,
    graph: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    threads: int = 1,
    limits: Limits | None = None,
    started: Callable[[str, Sequence[str]], None] = lambda *_: None,
) -> None:
    """Serve an exported student until SIGINT or SIGTERM; what runs then is still answered.

    Args:
        graph: an `.npz` that /predict/nodes asks about; none for a student of images.
        port: 0 takes a free one.
        threads: of one prediction.
        started: called with the URL and what is answered there, as soon as the port is bound.

    Raises:
        ServeError: an extra is missing, the address cannot be bound.
        ConfigError: a graph for a student of images.
        ExportError: the folder is no export. DataError: the graph does not fit.
    """
    from graphstill.runtime import ImagePredictor
    from graphstill.runtime.opening import open_student

    predictor, limits, store = open_student(directory, threads=threads), limits or Limits(), None
    if graph is not None:
        if isinstance(predictor, ImagePredictor):
            raise ConfigError(
                f"a graph is given, and {directory} holds a network of images. Where: --graph. Leave it out."
            )
        store = GraphStore.read(graph, predictor)
    app = create_app(predictor, store, limits)
    with bind(host, port) as listener:
        started(url_of(listener), app.state.paths)
        server = make_server(app, limits)
        # After its own graceful end uvicorn raises the signal again, which would end this process as if by accident.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _done)
        server.run(sockets=[listener])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ServeError where the address is taken, not ours, or not allowed."""
    try:
        if not 0 <= port <= 65535:  # getaddrinfo would take it modulo 65,536
            raise OSError("a port is a number from 0 to 65535")
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # With its protocol named, which socket.create_server does not: by that asyncio knows that it may switch off
        # Nagle's algorithm, and an answer does not wait 40 ms for the client to acknowledge its headers.
        listener = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen()
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        raise ServeError(
            f"The address cannot be used ({error}). Where: --host {host} --port {port}. "
            "Choose another port (0 takes a free one), or stop what uses it."
        ) from error


def url_of(listener: socket.socket) -> str:
    """Where the socket is reached from this machine."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(app: FastAPI, limits: Limits) -> uvicorn.Server:
    """uvicorn with its own lines of log off but for warnings: each request is logged once, by the application."""
    try:
        import uvicorn
    except ImportError as error:
        raise ServeError(MISSING.format("uvicorn")) from error

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        http="h11",
        ws="none",
        server_header=False,
        limit_concurrency=limits.workers + limits.waiting + SPARE_CONNECTIONS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return uvicorn.Server(config)


def _done(number: int, frame: object) -> None:
    """The end was asked for, and has come."""
