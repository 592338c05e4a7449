"""Connections that send nothing are closed, so that they keep nobody else out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from graphstill.serve.limits import Limits

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol_of(limits: Limits) -> type[H11Protocol]:
    """uvicorn's HTTP with a bound on connections and on how long one may be idle, or take for its headers.

    A body that is slow to come is bounded where it is read (`Limits.body_seconds`).
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _since = 0.0

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > limits.connections:
                transport.abort()
                return
            self._since = self.loop.time()
            self._watch(limits.idle_seconds)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._timer is not None:
                self._timer.cancel()
            super().connection_lost(exc)

        def on_response_complete(self) -> None:
            self._since = self.loop.time()
            super().on_response_complete()

        def _watch(self, seconds: float) -> None:
            self._timer = self.loop.call_later(seconds, self._look)

        def _look(self) -> None:
            busy = self.cycle is not None and not self.cycle.response_complete
            if busy:
                self._since = self.loop.time()
            left = self._since + limits.idle_seconds - self.loop.time()
            if left <= 0.001:
                self.transport.close()
            else:
                self._watch(left)

    return Protocol
