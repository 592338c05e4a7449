"""From a folder and a graph to a running process, and back."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from graphstill.cli.app import run
from graphstill.errors import ConfigError, DataError, ServeError
from graphstill.runtime import Graph, Predictor
from graphstill.runtime.manifest import write_manifest
from graphstill.serve import GraphStore, Limits, create_app
from graphstill.serve.server import bind, make_server
from tests.serve.stand_in import StandIn

NODES, WIDTH, CLASSES = 30, 6, 3


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported folder with a plan of two steps: a GCN of one layer."""
    folder = tmp_path_factory.mktemp("serve") / "student"
    (folder / "parts").mkdir(parents=True)
    weight = np.random.default_rng(0).standard_normal((WIDTH, CLASSES)).astype(np.float32)
    np.save(folder / "parts/p.npy", weight)
    plan = [
        {"op": "project", "in": "x", "out": "p", "weight": "parts/p.npy"},
        {"op": "propagate", "in": "p", "out": "logits", "norm": "gcn", "self_loops": True},
    ]
    about = {"format": 1, "name": "small", "features": WIDTH, "classes": CLASSES, "multi_label": False, "hops": 1}
    how = {"feature_normalization": "row", "engine": "split", "plan": plan, "tolerance": {"split": 1e-4}}
    write_manifest(folder, {**about, **how})
    return folder


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    """A graph as a task stores it: dense features, labels, edges."""
    rng = np.random.default_rng(1)
    x = rng.poisson(0.5, (NODES, WIDTH)).astype(np.float32)
    x[0] = 0
    return {"x": x, "y": np.zeros(NODES, np.int64), "edge_index": rng.integers(NODES, size=(2, 80))}


def csr(x: np.ndarray[Any, Any]) -> dict[str, Any]:
    rows, columns = np.nonzero(x)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(x)))])
    return {"x_data": x[rows, columns], "x_indices": columns, "x_indptr": indptr, "x_shape": np.array(x.shape)}


def test_graphs_dense_and_sparse(student: Path, arrays: dict[str, Any], tmp_path: Path) -> None:
    predictor = Predictor(student)
    expected = predictor.logits(predictor.prepare(arrays["x"]), Graph(arrays["edge_index"], NODES))
    np.savez(tmp_path / "dense.npz", **arrays)
    np.savez(tmp_path / "sparse.npz", edge_index=arrays["edge_index"], **csr(arrays["x"]))
    for name in ("dense", "sparse"):
        store = GraphStore.read(tmp_path / f"{name}.npz", predictor)
        assert (store.num_nodes, store.num_edges) == (NODES, 80)
        assert np.allclose(predictor.logits(store.x, store.graph), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"edge_index": None}, "no edge_index"),
        ({"x": None}, "no x_data, x_indices, x_indptr, x_shape"),
        ({"x": np.full((NODES, WIDTH), np.nan)}, "NaN"),
        ({"x": np.zeros((NODES, WIDTH + 1))}, "7 features"),
        ({"x": np.zeros((0, WIDTH))}, "no rows"),
        ({"x": np.zeros(NODES)}, r"\[30\]"),
        ({"x": np.array([["a"] * WIDTH] * NODES)}, "<U1"),
        ({"edge_index": np.array([[0], [NODES]])}, "30"),
        ({"x": None, **csr(np.eye(NODES, WIDTH)), "x_indices": np.full(WIDTH, 9)}, "CSR"),
        ({"x": None, **csr(np.eye(NODES, WIDTH)), "x_shape": np.array([NODES])}, "x_shape"),
        ({"x": np.array([[None] * WIDTH] * NODES)}, "plain arrays"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_graphs_that_do_not_fit(
    student: Path, arrays: dict[str, Any], tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    path = tmp_path / "graph.npz"
    np.savez(path, **{key: value for key, value in {**arrays, **change}.items() if value is not None})
    with pytest.raises(DataError, match=named) as error:
        GraphStore.read(path, Predictor(student))
    assert str(path) in str(error.value)


def test_files_that_are_no_graph(student: Path, tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no zip")
    np.save(tmp_path / "one.npz.npy", np.zeros(3))
    for name, named in (("none.npz", "Not a file"), ("text.npz", "plain arrays"), ("one.npz.npy", "plain arrays")):
        with pytest.raises(DataError, match=named):
            GraphStore.read(tmp_path / name, Predictor(student))


def test_a_process_from_start_to_end(student: Path, arrays: dict[str, Any], tmp_path: Path) -> None:
    graph = tmp_path / "graph.npz"
    np.savez(graph, **arrays)
    code = (
        "import sys\nfrom graphstill.cli.app import run\n"
        f"code = run(['serve', {str(student)!r}, '--graph', {str(graph)!r}, '--port', '0', '--json'])\n"
        "sys.exit('torch is loaded' if 'torch' in sys.modules else code)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["url"]
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
            asked = [7, 0, 29, 7]
            found = client.post("/predict/nodes", json={"nodes": asked, "probabilities": True}).json()
            part = {"x": arrays["x"].tolist(), "edge_index": arrays["edge_index"].tolist(), "nodes": asked}
            again = client.post("/predict/subgraph", json=part).json()
            about = client.get("/metadata").json()
    finally:
        process.send_signal(signal.SIGTERM)
        out, log = process.communicate(timeout=20)
    predictor = Predictor(student)
    x, edges = predictor.prepare(arrays["x"]), Graph(arrays["edge_index"], NODES)
    assert found["predictions"] == again["predictions"] == predictor.predict(x, edges, asked).tolist()
    assert np.allclose(found["probabilities"], predictor.probabilities(x, edges, asked), atol=1e-6)
    assert (about["digest"], about["engine"]) == (predictor.manifest["digest"], "split")
    assert (process.returncode, out) == (0, "")
    assert log.count("POST /predict/nodes 200") == 1
    assert log.endswith("stopped\n")


def test_an_address_that_cannot_be_used(student: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with bind("127.0.0.1", 0) as listener:
        # What asyncio asks before it switches off Nagle's algorithm, which holds back each answer for 40 ms.
        assert listener.proto == socket.IPPROTO_TCP
        port = listener.getsockname()[1]
        assert run(["serve", str(student), "--port", str(port)]) == 1
    assert f"--port {port}" in capsys.readouterr().err
    for host, number in (("256.0.0.1", 0), ("127.0.0.1", 70_000)):
        with pytest.raises(ServeError, match="--host"):
            bind(host, number)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(StandIn())  # type: ignore[arg-type]
    calls: list[tuple[str, Callable[[], object]]] = [
        ("fastapi", lambda: create_app(StandIn())),  # type: ignore[arg-type]
        ("uvicorn", lambda: make_server(app, Limits())),
    ]
    for package, call in calls:
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ServeError, match=rf"{package}.*pip install 'graphstill\[serve\]'"):
            call()


@pytest.mark.parametrize("bound", ["body_bytes", "nodes", "edges", "ids", "workers", "body_seconds"])
def test_bounds_below_one(bound: str) -> None:
    with pytest.raises(ConfigError, match=bound):
        Limits(**{bound: 0})
    with pytest.raises(ConfigError, match="waiting"):
        Limits(waiting=-1)
