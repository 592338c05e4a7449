"""Predictions equal dense formulas, for all nodes, for some, and for new ones; and whatever does not fit is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphstill.errors import ConfigError, DataError
from graphstill.runtime import Features, Graph, Predictor
from tests.runtime.folders import CLASSES, FEATURES, TOYS, Array, adjacency, graphs, write

Predictors = dict[str, Predictor]
NAMES = [*TOYS, "gcn/onnx", "gcn/int8", "gcn-bare/onnx"]
CLOSE: Any = {"rtol": 1e-4, "atol": 1e-4}


def sparse(x: Array) -> Features:
    rows, columns = np.nonzero(x)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(x)))])
    return Features(x[rows, columns], columns, ptr, (len(x), x.shape[1]))


def graph_for(predictor: Predictor, edges: Array, nodes: int) -> Graph | None:
    return Graph(edges, nodes) if predictor.needs_graph else None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=graphs(), choice=st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_all_nodes_and_some_of_them(predictors: Predictors, name: str, data: Any, choice: list[int]) -> None:
    x, edges = data
    predictor = predictors[name]
    expected = TOYS[name.partition("/")[0]]().formula(x, adjacency(edges, len(x)))
    graph = graph_for(predictor, edges, len(x))
    full = predictor.logits(x, graph)
    assert (full.dtype, full.shape) == (np.float32, (len(x), CLASSES))
    np.testing.assert_allclose(full, expected, **CLOSE)
    nodes = np.array(choice) % len(x)
    np.testing.assert_allclose(predictor.logits(x, graph, nodes=nodes), full[nodes], **CLOSE)
    np.testing.assert_allclose(predictor.logits(sparse(x), graph), full, **CLOSE)
    np.testing.assert_allclose(predictor.logits(sparse(x), graph, nodes=nodes), full[nodes], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=graphs(), new=st.integers(1, 3))
def test_new_nodes_are_those_of_the_grown_graph(predictors: Predictors, name: str, data: Any, new: int) -> None:
    """The last nodes of a graph are taken off, with their edges, and come as new ones."""
    x, edges = data
    old = max(len(x) - new, 0)
    predictor = predictors[name]
    touches = (edges >= old).any(axis=0)
    graph = Graph(edges[:, ~touches], old) if predictor.needs_graph else None
    ours = edges[:, touches] if predictor.needs_graph else None
    expected = predictor.logits(x, graph_for(predictor, edges, len(x)))[old:]
    np.testing.assert_allclose(predictor.logits_new(x[:old], graph, x[old:], ours), expected, **CLOSE)
    mixed = predictor.logits_new(sparse(x[:old]), graph, sparse(x[old:]), ours)
    np.testing.assert_allclose(mixed, expected, **CLOSE)


@pytest.mark.parametrize("factor", [1.0, 0.25, None])
def test_products_of_sparse_features(factor: float | None) -> None:
    """Of words that occur or not, normalised or not, and of any numbers; with an empty row."""
    draw = np.random.default_rng(0)
    x = (draw.random((9, FEATURES)) < 0.4) * (draw.standard_normal((9, FEATURES)) if factor is None else factor)
    x[3] = 0
    x[4] *= 2
    weight = draw.standard_normal((FEATURES, 2)).astype(np.float32)
    np.testing.assert_allclose(sparse(x).project(weight), x @ weight, **CLOSE)
    np.testing.assert_allclose(sparse(x).rows(np.array([4, 3, 4])).dense(), x[[4, 3, 4]], **CLOSE)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_edges_changes_no_bit(predictors: Predictors, name: str) -> None:
    draw = np.random.default_rng(0)
    x, edges = draw.standard_normal((40, FEATURES)).astype(np.float32), draw.integers(0, 40, (2, 300))
    predictor, shuffled = predictors[name], edges[:, draw.permutation(300)]
    graphs_ = [graph_for(predictor, one, 40) for one in (edges, shuffled)]
    assert np.array_equal(*(predictor.logits(x, graph) for graph in graphs_))
    assert np.array_equal(*(predictor.logits(x, graph, nodes=[3, 17]) for graph in graphs_))


def test_forms_of_input(predictors: Predictors) -> None:
    predictor, x, edges = predictors["gcn"], np.eye(FEATURES), [[0, 1, 2], [1, 2, 3]]
    expected = predictor.logits(x, Graph(np.array(edges), FEATURES))
    assert np.array_equal(predictor.logits(x.astype(int), edges), expected)
    triple = (np.ones(FEATURES), np.arange(FEATURES), np.arange(FEATURES + 1))
    np.testing.assert_allclose(predictor.logits(triple, edges), expected, **CLOSE)
    np.testing.assert_allclose(predictors["gcn/onnx"].logits(triple, edges), expected, **CLOSE)
    mixed = predictor.logits_new(sparse(x[:4]), Graph(np.array(edges), 4), x[4:], np.empty((2, 0)))
    np.testing.assert_allclose(mixed, expected[4:], **CLOSE)


def test_labels_and_probabilities(predictors: Predictors, tmp_path: Any) -> None:
    predictor, x = predictors["mlp"], np.random.default_rng(0).standard_normal((6, FEATURES))
    logits, shares = predictor.logits(x), predictor.probabilities(x)
    assert np.array_equal(predictor.predict(x), logits.argmax(1))
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.log(shares[:, 0] / shares[:, 1]), logits[:, 0] - logits[:, 1], **CLOSE)

    several = Predictor(write(tmp_path / "several", "mlp", multi_label=True))
    np.testing.assert_allclose(several.probabilities(x, nodes=[2]), 1 / (1 + np.exp(-logits[[2]])), **CLOSE)
    labels = several.predict(x)
    assert labels.dtype == np.int64
    assert np.array_equal(labels, logits > 0)


def test_prepare_normalises_as_in_training(predictors: Predictors, tmp_path: Any) -> None:
    raw = np.array([[1, -1, 0, 0, 2], [0, 0, 0, 0, 0]])
    expected = np.array([[0.25, -0.25, 0, 0, 0.5], [0, 0, 0, 0, 0]])
    prepared = predictors["mlp"].prepare(raw)
    assert isinstance(prepared, np.ndarray)
    assert prepared.dtype == np.float32
    np.testing.assert_allclose(prepared, expected, rtol=1e-6)
    stored = predictors["mlp"].prepare(sparse(raw))
    assert isinstance(stored, Features)
    np.testing.assert_allclose(stored.dense(), expected, rtol=1e-6)
    as_given = Predictor(write(tmp_path / "raw", "mlp", feature_normalization=None)).prepare(raw)
    both = Predictor(write(tmp_path / "both", "mlp", feature_normalization="binary-row"))
    ones = (np.asarray(raw) != 0).astype(np.float32)
    np.testing.assert_allclose(both.prepare(raw), ones / np.maximum(ones.sum(1, keepdims=True), 1e-12), atol=1e-7)
    assert isinstance(as_given, np.ndarray)
    assert np.array_equal(as_given, raw)


def test_what_it_says_of_itself(predictors: Predictors) -> None:
    found = {name: (p.hops, p.needs_graph, p.engine) for name, p in predictors.items()}
    assert found["gcn"] == (2, True, "split")
    assert found["gcn/onnx"] == (2, True, "onnx")
    assert found["gat"] == (1, True, "split")
    assert found["mlp"] == (0, False, "split")
    assert (predictors["gcn"].features, predictors["gcn"].classes) == (FEATURES, CLASSES)
    assert predictors["gcn"].engines == ["onnx", "int8", "split"]


X = np.zeros((4, FEATURES), np.float32)
EDGES = np.array([[0, 1], [1, 2]])


def holed(value: float) -> Array:
    x = X.astype(np.float64)
    x[2, 1] = value
    return x


@pytest.mark.parametrize(
    ("words", "inputs"),
    [
        ("x has 4 features, the student was trained on 5", {"x": X[:, :4]}),
        (r"x is float32 \[5\]", {"x": X[0]}),
        ("x is complex64", {"x": X + 0j}),
        (r"1 values that are NaN or infinite \(first: node 2, feature 1\)", {"x": holed(np.nan)}),
        ("node 2, feature 1", {"x": holed(1e300)}),
        ("node 2, feature 1", {"x": holed(np.inf), "nodes": [2]}),
        ("stored value 0", {"x": ([np.nan], [0], [0, 1, 1, 1, 1])}),
        ("not a CSR matrix", {"x": ([1.0], [5], [0, 1, 1, 1, 1])}),
        ("not a CSR matrix", {"x": ([1.0], [0], [0, 2, 1, 1, 1])}),
        ("graph is missing, this student reads one", {"graph": None}),
        ("the graph has 3 nodes, x has 4 rows", {"graph": Graph(EDGES, 3)}),
        (r"edge_index column 1 is \[1, 4\], the nodes are 0..3", {"graph": [[0, 1], [1, 4]]}),
        (r"edge_index column 0 is \[-1, 1\]", {"graph": [[-1, 1], [1, 2]]}),
        (r"edge_index is float64 \[2, 2\]", {"graph": EDGES + 0.5}),
        (r"edge_index is int64 \[2, 2, 1\]", {"graph": EDGES[:, :, None]}),
        ("nodes is float64", {"nodes": []}),
        (r"nodes is bool \[4\]", {"nodes": np.ones(4, bool)}),
        ("nodes holds 4 at place 1, the nodes are 0..3", {"nodes": [0, 4]}),
        ("nodes holds -1", {"nodes": [-1]}),
    ],
)
def test_refusals(predictors: Predictors, words: str, inputs: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=words):
        predictors["gcn"].logits(**{"x": X, "graph": EDGES, **inputs})


def test_refusals_of_new_nodes_and_of_graphs_nobody_reads(predictors: Predictors) -> None:
    with pytest.raises(DataError, match="graph is given, this student reads none"):
        predictors["mlp"].logits(X, EDGES)
    with pytest.raises(DataError, match="new_edges is given, this student reads no graph"):
        predictors["mlp"].logits_new(X, None, X, EDGES)
    with pytest.raises(DataError, match="new_edges is missing"):
        predictors["gcn"].logits_new(X, EDGES, X[:1])
    with pytest.raises(DataError, match=r"new_edges column 0 is \[0, 5\], the nodes are 0..4"):
        predictors["gcn"].logits_new(X, EDGES, X[:1], [[0], [5]])
    with pytest.raises(DataError, match="new_x has no rows"):
        predictors["gcn"].logits_new(X, EDGES, X[:0], EDGES)


def test_unknown_engine_and_threads(folders: Any) -> None:
    with pytest.raises(ConfigError, match=r"engine='int8'. Where: .*gat. It has split"):
        Predictor(folders["gat"], engine="int8")
    with pytest.raises(ConfigError, match="threads=0"):
        Predictor(folders["gat"], threads=0)
    assert Predictor(folders["gat"], threads=2).threads == 2
