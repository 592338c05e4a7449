"""Position features: the closed form, who is where, what the hash holds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphstill import datasets
from graphstill.data import NodeTask
from graphstill.data.positions import co_occurrence_positions
from graphstill.errors import ConfigError, DataError
from graphstill.ops import Adjacency, SparseFeatures
from tests.data import toy
from tests.tiny import tiny_task


def dense(task: NodeTask) -> np.ndarray:
    x = task.x.to_dense() if isinstance(task.x, SparseFeatures) else task.x
    return x.numpy()


def columns(task: NodeTask, dimensions: int) -> np.ndarray:
    """The position columns, brought back from the features' scale to length 1 in the mean."""
    found = dense(task)[:, -dimensions:]
    return found / np.sqrt(np.square(found).sum() / len(found))


def test_the_matrix_is_that_of_walks() -> None:
    """Against sums of powers of dense matrices and a dense eigendecomposition."""
    graph = tiny_task().full_batch().graph
    a = np.zeros((120, 120))
    a[tuple(graph.edge_index().numpy())] = 1
    p, inverse = a / a.sum(1, keepdims=True), np.diag(1 / a.sum(1))
    walks = sum(np.linalg.matrix_power(p, r) for r in range(1, 4))
    m = np.log(np.maximum(1, a.sum() / 3 * walks @ inverse))
    values, vectors = np.linalg.eigh(m)
    leading = np.argsort(-abs(values))[:5]
    expected = vectors[:, leading] * values[leading] ** 2
    found = co_occurrence_positions(graph, 5, 3)
    np.testing.assert_allclose(abs(found), abs(expected), rtol=2e-2, atol=1e-2 * abs(expected).max())
    assert (found[abs(found).argmax(0), range(5)] > 0).all(), "signs are fixed"


def test_edges_count_once_in_both_directions_and_lone_nodes_are_at_the_origin() -> None:
    edges = torch.tensor([[0, 1, 2, 3, 0], [1, 2, 3, 0, 2]])
    once = Adjacency.from_edge_index(edges, 6)
    again = Adjacency.from_edge_index(
        torch.cat([edges, edges.flip(0), edges[:, :2], torch.tensor([[1, 4], [1, 4]])], 1), 6
    )
    found = co_occurrence_positions(once, 3, 2)
    np.testing.assert_array_equal(found, co_occurrence_positions(again, 3, 2))
    assert abs(found[:4]).sum(1).all() and not found[4:].any()


def test_the_same_each_time_beside_the_features_and_of_their_length() -> None:
    task = tiny_task()
    one, two = task.with_positions(7), task.with_positions(7)
    assert np.array_equal(dense(one), dense(two)) and one.hash == two.hash
    x, block = dense(one)[:, :64], dense(one)[:, 64:]
    assert np.array_equal(x, dense(task)) and one.in_features == 71 and one.x.shape == (120, 71)
    np.testing.assert_allclose(np.square(block).sum(), np.square(x).sum(), rtol=1e-5)


def test_the_hash_and_the_protocol_name_them() -> None:
    task = tiny_task()
    hashes = {task.hash, *(task.with_positions(d, w).hash for d, w in ((4, 10), (5, 10), (4, 9)))}
    assert len(hashes) == 4
    placed = task.with_positions(4)
    assert placed.protocol()["positions"] == {"dimensions": 4, "window": 10} and task.protocol()["positions"] is None
    assert placed.to("cpu", torch.float64).hash == placed.hash
    with pytest.raises(DataError, match="made from other data"):
        placed.check_teacher(task.hash, "a teacher")


def test_sparse_features_stay_sparse_and_are_the_same() -> None:
    sparse, full = (toy.task(sparse=s).with_positions(3) for s in (True, False))
    assert isinstance(sparse.x, SparseFeatures) and sparse.hash == full.hash
    np.testing.assert_array_equal(dense(sparse), dense(full))


def test_inductive_positions_come_from_the_training_graph() -> None:
    """Nodes 4, 5 and 9 are for testing: 5 has the training neighbours 0 and 6, 9 has 2, 8 and 10, 4 has 3 and 10."""
    task = toy.task(inductive=True).with_positions(4, window=3)
    batch = task.training_batches(0)[0]
    alone = co_occurrence_positions(batch.graph, 4, 3)
    found = dense(task)[:, -4:]
    scale = found[0, 0] / alone[0, 0]
    np.testing.assert_allclose(found[batch.nodes], alone * scale, rtol=1e-5)
    for node, near in ((5, [0, 6]), (9, [2, 8, 10]), (4, [3, 10])):
        np.testing.assert_allclose(found[node], found[near].mean(0), rtol=1e-5, atol=1e-6)
    assert batch.x.shape == (9, 7) and task.hash != toy.task().with_positions(4, window=3).hash


def test_an_unseen_node_without_seen_neighbours_is_at_the_origin() -> None:
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (0, 6), (4, 5), (6, 7), (7, 8), (8, 0), (10, 11)]
    task = toy.task(edge_index=toy.undirected(pairs), inductive=True).with_positions(3)
    assert not dense(task)[[4, 5], -3:].any()


def test_transductive_positions_know_every_node() -> None:
    task = toy.task().with_positions(4, window=3)
    alone = co_occurrence_positions(task.full_batch().graph, 4, 3)
    np.testing.assert_allclose(columns(task, 4), alone / np.sqrt(np.square(alone).sum() / 12), rtol=1e-5)


def test_by_name() -> None:
    task = datasets.load("digits", positions=8)
    assert task.in_features == 72 and task.hash == datasets.load("digits").with_positions(8).hash


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"dimensions": 0}, "dimensions=0"),
        ({"dimensions": 12}, "from 1 to 11"),
        ({"dimensions": 3, "window": 0}, "window=0"),
    ],
)
def test_refuses_sizes(wrong: dict[str, int], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        toy.task().with_positions(**wrong)


def test_refuses_what_would_not_be_true() -> None:
    placed = toy.task().with_positions(3)
    with pytest.raises(ConfigError, match="has positions already"):
        placed.with_positions(3)
    with pytest.raises(ConfigError, match="remove them first"):
        placed.without_edges(0.2)
    with pytest.raises(ConfigError, match="several graphs"):
        NodeTask.from_arrays(**toy.several_graphs()).with_positions(2)


def test_refuses_large_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphstill.data.changes.positions.MOST_NODES", 11)
    with pytest.raises(ConfigError, match="12² co-occurrences"):
        toy.task().with_positions(3)
