"""Predictions beside the event loop: a few at a time, some more in a queue, and no more than that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from graphstill.serve.limits import Limits
from graphstill.serve.refusal import Refusal

T = TypeVar("T")


class Gate:
    """A bounded pool of threads. All but what it runs belongs to one event loop, so that no lock is needed."""

    def __init__(self, limits: Limits) -> None:
        self._pool = ThreadPoolExecutor(limits.workers, thread_name_prefix="predict")
        self._places = self._free = limits.workers + limits.waiting

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for one request, from before its body is read until it is answered.

        Raises:
            Refusal: 503 where all are taken.
        """
        if not self._free:
            raise Refusal(
                503,
                f"{self._places} requests are being served or wait. Where: this server. Try again in a second.",
                {"Retry-After": "1"},
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    async def run(self, work: Callable[[], T]) -> T:
        """`work()` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """No more work; what runs is waited for by nobody."""
        self._pool.shutdown(wait=False, cancel_futures=True)
