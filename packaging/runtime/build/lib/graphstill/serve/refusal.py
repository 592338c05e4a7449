"""Requests that are answered with an error: a status, and what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """The answer to a request that cannot be served. `detail` is all that the client gets to read."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


def shown(value: object) -> str:
    """A value of the client's in a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
