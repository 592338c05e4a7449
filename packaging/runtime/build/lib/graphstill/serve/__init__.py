"""A student behind HTTP: the runtime, FastAPI and uvicorn (`pip install 'graphstill[serve]'`), and no torch."""

from __future__ import annotations

from graphstill.serve.app import create_app
from graphstill.serve.limits import Limits
from graphstill.serve.server import serve
from graphstill.serve.store import GraphStore

__all__ = ["GraphStore", "Limits", "create_app", "serve"]
