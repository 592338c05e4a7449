"""One line a request, whatever becomes of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

logger = logging.getLogger("graphstill.serve")


class AccessLog:
    """ASGI middleware: client, method, path, status, milliseconds."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            client = (scope.get("client") or ("-",))[0]
            # Still percent-encoded, so that no path can write a line of its own.
            path = scope.get("raw_path", b"").decode("latin-1")[:200]
            spent = 1000 * (time.perf_counter() - started)
            logger.info("%s %s %s %d %.1f ms", client, scope["method"], path, status, spent)
