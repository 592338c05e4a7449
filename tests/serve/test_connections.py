"""Connections that send nothing: closed in time, and in nobody's way meanwhile."""

from __future__ import annotations

import socket

import httpx

from graphstill.serve import Limits
from tests.serve.conftest import running
from tests.serve.stand_in import StandIn


def opened(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.settimeout(20)
    return connection


def test_idle_and_slow_connections_are_closed_and_health_answers_meanwhile() -> None:
    with running(StandIn(), None, Limits(workers=1, waiting=0, idle_seconds=1.0)) as url:
        idle = [opened(url) for _ in range(150)]
        slow = opened(url)
        slow.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as client:
            assert client.get("/health").json() == {"status": "ok"}
            assert client.head("/health").status_code == 200 == client.head("/metadata").status_code
        for connection in [*idle, slow]:
            assert connection.recv(1) == b"", "the server closes it"
            connection.close()


def test_connections_beyond_the_bound_are_closed_at_once_and_others_go_on() -> None:
    with (
        running(StandIn(), None, Limits(connections=3, idle_seconds=30)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
    ):
        assert client.get("/health").status_code == 200
        held = [opened(url) for _ in range(2)]
        refused = opened(url)
        try:
            ended = refused.recv(1) == b""
        except ConnectionResetError:
            ended = True
        assert ended
        assert client.get("/health").status_code == 200
        for connection in [*held, refused]:
            connection.close()
