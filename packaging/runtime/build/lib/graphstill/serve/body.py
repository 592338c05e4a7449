"""Reading the body of a request: the right type, not too large, not too slow, all before anything is parsed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphstill.serve.limits import Limits
from graphstill.serve.refusal import Refusal

if TYPE_CHECKING:
    from fastapi import Request

#: What is still taken in of a body that is refused, so that a client in the middle of sending gets to read why.
LINGER_BYTES, LINGER_SECONDS = 64 * 2**20, 2.0


async def read_body(request: Request, limits: Limits) -> bytes:
    """The body.

    Raises:
        Refusal: 415 for another type than JSON, 413 for a body over the limit (by its announced length, or while it
            arrives), 408 for one that takes too long.
    """
    from starlette.requests import ClientDisconnect

    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    coding = request.headers.get("content-encoding", "identity").lower()
    if kind != "application/json" or coding != "identity":
        what = (
            f"Content-Type is {kind[:60] or 'missing'!r}"
            if coding == "identity"
            else f"Content-Encoding is {coding[:60]!r}"
        )
        raise Refusal(415, f"{what}. Where: the headers. Send plain JSON as application/json.")
    announced = request.headers.get("content-length", "")
    chunks: list[bytes] = []
    try:
        async with asyncio.timeout(limits.body_seconds):
            size = int(announced) if announced.isdecimal() else 0
            if size <= limits.body_bytes:
                size = 0
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limits.body_bytes:
                        break
                    chunks.append(chunk)
    except ClientDisconnect as error:
        raise Refusal(400, "The client went away. Where: the request body. Send it whole.") from error
    except TimeoutError as error:
        raise Refusal(
            408, f"No whole body after {limits.body_seconds:g} s. Where: the request body. Send it at once."
        ) from error
    if size > limits.body_bytes:
        chunks.clear()
        if "expect" not in request.headers:  # who asks before sending has sent nothing yet
            await _linger(request)
        raise Refusal(
            413, f"The body has more than {limits.body_bytes:,} bytes. Where: the request body. Send smaller requests."
        )
    return b"".join(chunks)


async def _linger(request: Request) -> None:
    """Take in and forget. Answering while the client still sends would reset the connection, and lose the answer."""
    taken = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while taken < LINGER_BYTES:
                message = await request.receive()
                taken += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
