"""A server as a client sees it: answers, refusals, and what it does under load."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from graphstill.serve import Limits
from tests.serve.stand_in import StandIn

Connect = Callable[..., httpx.Client]
JSON = {"Content-Type": "application/json"}
SUBGRAPH = {"x": [[1, 2], [3, 4.5], [0, 0]], "edge_index": [[0, 2], [1, 1]]}


def test_health_and_metadata(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    about = client.get("/metadata").json()
    assert (about["name"], about["engine"], about["graph"]) == ("stand-in", "split", {"nodes": 5, "edges": 4})
    assert (about["limits"]["ids"], about["files"]) == (10, {"model.onnx": "abc"})
    assert "plan" not in about


def test_openapi_describes_the_bodies(client: httpx.Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/predict/subgraph"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["x", "edge_index"]
    assert body["properties"]["x"]["items"]["maxItems"] == 2


def test_nodes_of_the_graph_in_the_order_asked_for(client: httpx.Client) -> None:
    # logits: node 0 [1, 0], 1 [1, 2], 2 [3, 2], 3 [3, 4], 4 [5, 4]
    found = client.post("/predict/nodes", json={"nodes": [3, 0, 3], "probabilities": True}).json()
    assert (found["nodes"], found["predictions"]) == ([3, 0, 3], [1, 0, 1])
    e = np.e
    assert found["probabilities"][0] == pytest.approx([1 / (1 + e), e / (1 + e)])
    assert found["probabilities"][1] == pytest.approx([e / (1 + e), 1 / (1 + e)])
    assert found["probabilities"][0] == found["probabilities"][2]
    assert "probabilities" not in client.post("/predict/nodes", json={"nodes": [1]}).json()


def test_subgraph(client: httpx.Client) -> None:
    found = client.post("/predict/subgraph", json=SUBGRAPH).json()
    assert found == {"nodes": [0, 1, 2], "predictions": [1, 1, 0]}  # [1, 2], [4, 6.5], [0, 0]
    some = client.post("/predict/subgraph", json={**SUBGRAPH, "nodes": [2, 1]}).json()
    assert some == {"nodes": [2, 1], "predictions": [0, 1]}
    alone = client.post("/predict/subgraph", json={"x": [[0, 1]], "edge_index": [[], []]}).json()
    assert alone["predictions"] == [1]


def test_a_network_without_edges_and_with_several_labels(connect: Connect) -> None:
    client = connect(StandIn(needs_graph=False, multi_label=True), graph=False)
    found = client.post("/predict/subgraph", json={"x": [[1, -200], [0.5, 3]], "probabilities": True}).json()
    assert found["predictions"] == [[1, 0], [1, 1]]
    assert found["probabilities"][0] == pytest.approx([1 / (1 + np.exp(-1)), 0], abs=1e-6)
    refused = client.post("/predict/nodes", json={"nodes": [0]})
    assert (refused.status_code, "--graph" in refused.json()["detail"]) == (409, True)


# Each with what the message must name: the value or its place.
BAD_NODES = [
    (400, b"{", "not JSON"),
    (400, b'{"nodes": [1', "not JSON"),
    (400, b"", "not JSON"),
    (400, b"\xff\xfe\x00", "not JSON"),
    (400, b"[" * 5000, "not JSON"),
    (422, b"[]", "[]"),
    (422, b"7", "7"),
    (422, b"{}", "nodes is missing"),
    (422, b'{"nods": [1]}', "did you mean 'nodes'?"),
    (422, b'{"nodes": []}', "[]"),
    (422, b'{"nodes": "all"}', "'all'"),
    (422, b'{"nodes": [0, 5]}', "nodes[1] is 5"),
    (422, b'{"nodes": [-1]}', "nodes[0] is -1"),
    (422, b'{"nodes": [1.0]}', "nodes[0] is 1.0"),
    (422, b'{"nodes": [true]}', "nodes[0] is True"),
    (422, b'{"nodes": [null]}', "nodes[0] is None"),
    (422, b'{"nodes": [[1]]}', "nodes[0] is [1]"),
    (422, b'{"nodes": [123456789012345678901234567890]}', "nodes[0] is 1234567"),
    (422, b'{"nodes": [0,0,0,0,0,0,0,0,0,0,0]}', "11 ids, more than 10"),
    (422, b'{"nodes": [0], "probabilities": 1}', "probabilities is 1"),
]
BAD_SUBGRAPHS = [
    (b'{"x": [[1, 2]]}', "edge_index is missing"),
    (b'{"x": [[1, NaN]], "edge_index": [[], []]}', "NaN"),
    (b'{"x": [[1, -Infinity]], "edge_index": [[], []]}', "-Infinity"),
    (b'{"x": [[1, 2], [1, 1e999]], "edge_index": [[], []]}', "x[1][1] is inf"),
    (b'{"x": [[1, 1e39]], "edge_index": [[], []]}', "x[0][1] is 1e+39"),
    (b'{"x": [[1, 1' + b"0" * 400 + b']], "edge_index": [[], []]}', "x[0][1] is 1000"),
    (b'{"x": [[1, 2], [1]], "edge_index": [[], []]}', "x[1] has 1 numbers instead of 2"),
    (b'{"x": [[1, 2, 3]], "edge_index": [[], []]}', "x[0] has 3 numbers instead of 2"),
    (b'{"x": [1, 2], "edge_index": [[], []]}', "x[0] is 1"),
    (b'{"x": [[1, "2"]], "edge_index": [[], []]}', "x[0] holds '2'"),
    (b'{"x": [[1, true]], "edge_index": [[], []]}', "x[0] holds True"),
    (b'{"x": [[1, [2]]], "edge_index": [[], []]}', "x[0] holds [2]"),
    (b'{"x": [], "edge_index": [[], []]}', "x is []"),
    (b'{"x": null, "edge_index": [[], []]}', "x is None"),
    (b'{"x": [' + b"[0,0]," * 50 + b'[0,0]], "edge_index": [[], []]}', "51 rows, more than 50"),
    (b'{"x": [[1, 2]], "edge_index": [[0]]}', "edge_index is [[0]]"),
    (b'{"x": [[1, 2]], "edge_index": [[0], []]}', "1 sources and 0 targets"),
    (b'{"x": [[1, 2]], "edge_index": [[0], [1]]}', "edge_index[1][0] is 1"),
    (b'{"x": [[1, 2]], "edge_index": [[-1], [0]]}', "edge_index[0][0] is -1"),
    (b'{"x": [[1, 2]], "edge_index": [[0.5], [0]]}', "edge_index[0][0] is 0.5"),
    (b'{"x": [[1, 2]], "edge_index": [[' + b"0," * 40 + b"0],[" + b"0," * 40 + b"0]]}", "41 edges, more than 40"),
    (b'{"x": [[1, 2]], "edge_index": [[], []], "nodes": [1]}', "nodes[0] is 1"),
    (b'{"x": [[3e38, 3e38]], "edge_index": [[0], [0]]}', "not finite"),
]


@pytest.mark.parametrize(
    ("path", "status", "body", "named"),
    [("/predict/nodes", *case) for case in BAD_NODES] + [("/predict/subgraph", 422, *case) for case in BAD_SUBGRAPHS],
    ids=lambda value: value[:24].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_bad_bodies(client: httpx.Client, path: str, status: int, body: bytes, named: str) -> None:
    answer = client.post(path, content=body, headers=JSON)
    detail = answer.json()["detail"]
    assert answer.status_code == status, detail
    assert named in detail
    assert len(detail) < 300
    if status == 422:
        assert ". Where: " in detail


def test_unknown_paths_methods_and_types(client: httpx.Client) -> None:
    unknown = client.get("/predict")
    assert (unknown.status_code, "/predict/nodes" in unknown.json()["detail"]) == (404, True)
    wrong = client.get("/predict/nodes")
    assert (wrong.status_code, wrong.headers["allow"], "detail" in wrong.json()) == (405, "POST", True)
    for headers in ({"Content-Type": "text/plain"}, {}, {**JSON, "Content-Encoding": "gzip"}):
        answer = client.post("/predict/nodes", content=b'{"nodes": [1]}', headers=headers)
        assert (answer.status_code, "application/json" in answer.json()["detail"]) == (415, True)
    spelled = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert client.post("/predict/nodes", content=b'{"nodes": [1]}', headers=spelled).status_code == 200


def test_large_bodies_are_refused_before_they_are_parsed(client: httpx.Client) -> None:
    def pieces() -> Iterator[bytes]:  # no length is announced: sent in chunks
        for _ in range(300):
            yield b" " * 10_000

    for content in (b" " * 20_001, b" " * 3_000_000, pieces()):
        answer = client.post("/predict/nodes", content=content, headers=JSON)
        assert (answer.status_code, "20,000 bytes" in answer.json()["detail"]) == (413, True)
    fitting = b'{"nodes": [1]}'.ljust(20_000)
    assert client.post("/predict/nodes", content=fitting, headers=JSON).status_code == 200


def test_a_body_that_does_not_come(connect: Connect) -> None:
    client = connect(StandIn(), Limits(body_seconds=1))

    def slowly() -> Iterator[bytes]:
        yield b'{"nodes"'
        time.sleep(1.3)
        yield b": [1]}"

    answer = client.post("/predict/nodes", content=slowly(), headers=JSON)
    assert (answer.status_code, "No whole body" in answer.json()["detail"]) == (408, True)


def test_many_at_once_get_their_own_answers(client: httpx.Client) -> None:
    def ask(i: int) -> Any:
        body = {"x": [[0, i]] * (i + 1), "edge_index": [list(range(i)), list(range(i))], "probabilities": True}
        return client.post("/predict/subgraph", json=body).json()

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(ask, range(20)))
    for i, answer in enumerate(found):
        looped = np.exp(2 * i) / (1 + np.exp(2 * i))
        assert np.allclose([row[1] for row in answer["probabilities"][:-1]], looped)
        assert answer["nodes"] == list(range(i + 1))


def eventually(condition: Callable[[], bool]) -> bool:
    """A line of the log is written after its answer is sent: it may come a moment after the client has that."""
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_busy_workers_leave_health_alone_and_a_full_queue_refuses(
    connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "graphstill.serve")
    predictor = StandIn()
    client = connect(predictor, Limits(workers=2, waiting=0))
    slow = {"x": [[-1, 0]], "edge_index": [[], []]}
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(client.post, "/predict/subgraph", json=slow) for _ in range(2)]
        assert all(predictor.running.acquire(timeout=10) for _ in held)
        assert client.get("/health").status_code == 200
        full = client.post("/predict/nodes", json={"nodes": [0]})
        predictor.go.set()
        assert [future.result().status_code for future in held] == [200, 200]
    assert (full.status_code, full.headers["retry-after"]) == (503, "1")
    assert "2 requests" in full.json()["detail"]
    assert client.post("/predict/nodes", json={"nodes": [0]}).status_code == 200

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "graphstill.serve"]

    assert eventually(lambda: len(lines()) == 5)
    assert [line.split()[1:4] for line in lines()[:2]] == [
        ["GET", "/health", "200"],
        ["POST", "/predict/nodes", "503"],
    ]


def test_a_request_waits_for_a_worker(connect: Connect) -> None:
    predictor = StandIn()
    client = connect(predictor, Limits(workers=1, waiting=1))
    slow = {"x": [[-1, 0]], "edge_index": [[], []]}
    with ThreadPoolExecutor(2) as pool:
        held = pool.submit(client.post, "/predict/subgraph", json=slow)
        assert predictor.running.acquire(timeout=10)
        queued = pool.submit(client.post, "/predict/nodes", json={"nodes": [0]})
        time.sleep(0.1)
        assert not queued.done()
        predictor.go.set()
        assert (held.result().status_code, queued.result().status_code) == (200, 200)


def test_a_failure_inside_tells_nothing(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(StandIn):
        def logits(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("secret of the inside")

    client = connect(Broken())
    answer = client.post("/predict/nodes", json={"nodes": [0]})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert json.loads(answer.text).keys() == {"detail"}
    assert client.get("/health").status_code == 200
    assert eventually(lambda: "secret of the inside" in caplog.text)  # but the log says it


def test_no_place_is_lost(connect: Connect) -> None:
    """Refused and failed requests give their places back."""
    client = connect(StandIn(), Limits(workers=1, waiting=0))
    for _ in range(5):
        assert client.post("/predict/nodes", content=b"{", headers=JSON).status_code == 400
    assert client.post("/predict/nodes", json={"nodes": [0]}).status_code == 200
