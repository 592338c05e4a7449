"""The application: paths, and what becomes of an error."""

# No `from __future__ import annotations` here: FastAPI reads the types of the handlers, which are local to
# create_app, because FastAPI is imported there and nowhere else.
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import graphstill
from graphstill.errors import DataError, ServeError
from graphstill.serve.access_log import AccessLog
from graphstill.serve.body import read_body
from graphstill.serve.gate import Gate
from graphstill.serve.limits import Limits
from graphstill.serve.metadata import metadata, request_schema
from graphstill.serve.questions import Question, questions
from graphstill.serve.refusal import Refusal
from graphstill.serve.store import GraphStore

if TYPE_CHECKING:
    from fastapi import FastAPI

    from graphstill.runtime.opening import AnyPredictor

NO_GRAPH = "No graph is loaded. Where: this server. Start it with --graph, or use /predict/subgraph."
MISSING = "The package {} is not installed. Where: graphstill serve. Install it: pip install 'graphstill[serve]'."


def create_app(
    predictor: "AnyPredictor", graph_store: GraphStore | None = None, limits: Limits | None = None
) -> "FastAPI":
    """A server's application: GET /health, /metadata; POST /predict/nodes, /predict/subgraph, or /predict/images.

    Every answer is JSON; an error is {"detail": what is wrong, where, what to do}. Predictions run in threads, so that
    the others are answered meanwhile.

    Args:
        predictor: the student, of graphs or of images.
        graph_store: the graph that /predict/nodes asks about; without it that path answers 409.
        limits: what one request may take.

    Returns:
        The application; ``state.paths`` says what it answers, as "GET /health".

    Raises:
        ServeError: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse, Response
        from starlette.exceptions import HTTPException
    except ImportError as error:
        raise ServeError(MISSING.format("fastapi")) from error

    limits = limits or Limits()
    gate, about = Gate(limits), metadata(predictor, graph_store, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        gate.close()

    # The pages of documentation load scripts from elsewhere; /openapi.json says the same.
    app = FastAPI(title="graphstill", version=graphstill.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(AccessLog)

    def handler(question: Question) -> Callable[[Request], Awaitable[Response]]:
        async def predict(request: Request) -> Response:
            if question.answer is None:
                raise Refusal(409, NO_GRAPH)
            with gate.place():
                body = await read_body(request, limits)
                content = await gate.run(partial(question.answer, body))
            return Response(content, media_type="application/json")

        return predict

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metadata")
    async def tell() -> dict[str, Any]:
        return about

    asked = questions(predictor, graph_store, limits)
    for question in asked:
        described = request_schema(question.properties, question.required)
        app.add_api_route(question.path, handler(question), methods=["POST"], openapi_extra=described)
    app.state.paths = ["GET /health", "GET /metadata", *(f"POST {question.path}" for question in asked)]

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> JSONResponse:
        return JSONResponse({"detail": error.detail}, error.status, error.headers)

    @app.exception_handler(DataError)
    async def unusable(_: Request, error: DataError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> JSONResponse:
        paths = ", ".join(app.state.paths)
        detail = f"{error.detail}. Where: {request.method} {request.url.path[:200]}. There are: {paths}."
        return JSONResponse({"detail": detail}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> JSONResponse:
        # uvicorn logs the traceback, and closes the connection; a client learns nothing about the inside.
        detail = "The server failed. Where: its log. Tell whoever runs it."
        return JSONResponse({"detail": detail}, 500, {"Connection": "close"})

    return app
