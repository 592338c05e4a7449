"""graphstill serve DIR"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from graphstill.cli.output import Debug, Json, emit, log

NAME = "serve"


def command(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `graphstill export` wrote.")],
    graph: Annotated[
        Path | None,
        typer.Option("--graph", help="An .npz with the graph that /predict/nodes asks about.", show_default=False),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Who may connect: 0.0.0.0 means everybody.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0 takes a free one.")] = 8000,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of one prediction.")] = 1,
    max_body: Annotated[float, typer.Option("--max-body", help="Largest request, in MiB.")] = 16,
    max_nodes: Annotated[int, typer.Option("--max-nodes", help="Most nodes or images in a request.")] = 20_000,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Answer HTTP requests with an exported student until Ctrl-C; with --json the object is printed at the start."""
    import logging

    from graphstill.serve import Limits, serve

    def started(url: str, paths: Sequence[str]) -> None:
        emit({"url": url, "directory": str(directory)}, json, lambda: f"{url}: {', '.join(paths)}")

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")  # to standard error
    limits = Limits(body_bytes=int(max_body * 2**20), nodes=max_nodes)
    serve(directory, graph, host=host, port=port, threads=threads, limits=limits, started=started)
    log("stopped")
