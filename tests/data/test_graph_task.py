"""Graph tasks: what they hold, what they hide, how batches are cut, and what is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphstill.data import GraphTask, graph_datasets, molecules
from graphstill.data.graph_arrays import GraphArrays
from graphstill.errors import ConfigError, DataError
from graphstill.ops import Adjacency
from tests import tiny_graphs


def test_what_it_holds() -> None:
    task = tiny_graphs.task(codes=True, tasks=True)
    assert (task.num_items, task.num_outputs, task.metric, task.item) == (36, 2, "mean_roc_auc", "graph")
    assert task.data.node_codes == (4, 4) and task.in_features == 8 and task.data.edge_codes == (3, 3)
    assert torch.isnan(task.y[task.test_index]).all(), "labels of test graphs are hidden"
    told = task.protocol()
    assert (told["items"], told["graphs"], told["edge_features"]) == ("graph", 36, 2)
    assert told["labels_known"] == [27, 21]


def test_a_batch_is_its_graphs_one_after_another() -> None:
    given, task = tiny_graphs.arrays(codes=True), tiny_graphs.task(codes=True)
    ids = torch.tensor([7, 2, 30])
    batch = task.plain_batch(ids)
    ptr, edges, attrs, offset = given["graph_ptr"], [], [], 0
    source = given["edge_index"][0]
    for number in ids.tolist():
        inside = (source >= ptr[number]) & (source < ptr[number + 1])
        edges.append(given["edge_index"][:, inside] - ptr[number] + offset)
        attrs.append(given["edge_attr"][inside])
        offset += int(ptr[number + 1] - ptr[number])
    wanted = Adjacency.from_edge_index(torch.cat(edges, 1), offset, torch.cat(attrs))
    assert torch.equal(batch.graph.ptr, wanted.ptr) and torch.equal(batch.graph.source, wanted.source)
    assert batch.graph.edge_attr is not None and wanted.edge_attr is not None
    assert torch.equal(batch.graph.edge_attr, wanted.edge_attr) and torch.equal(batch.items, ids)
    assert batch.graph.graph_ptr is not None and int(batch.graph.graph_ptr[-1]) == len(batch.nodes) == offset
    assert torch.equal(batch.y, torch.tensor([0, 0, -1]))


def test_an_epoch_has_each_training_graph_once_in_an_order_of_its_own() -> None:
    task = tiny_graphs.task()
    orders = [torch.cat([batch.items for batch in task.training_batches(epoch)]) for epoch in (0, 0, 1)]
    assert torch.equal(orders[0], orders[1]) and not torch.equal(orders[0], orders[2])
    assert all(torch.equal(order.sort().values, task.train_index) for order in orders)
    assert [len(batch.items) for batch in task.training_batches(0)] == [8, 8, 2]


def test_large_parts_are_predicted_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphstill.data.graph_batches.PIECE", 4)
    batch = tiny_graphs.task().validation_batch()
    assert [len(piece.items) for piece in batch.pieces] == [4, 4, 1]
    assert torch.equal(torch.cat([piece.items for piece in batch.pieces]), batch.items)


def test_from_pyg_is_the_same_data() -> None:
    from torch_geometric.data import Data

    given = tiny_graphs.arrays(codes=True)
    ptr, source = given["graph_ptr"].tolist(), given["edge_index"][0]
    graphs = []
    for number, (begin, end) in enumerate(pairwise(ptr)):
        inside = (source >= begin) & (source < end)
        graphs.append(
            Data(
                x=given["x"][begin:end],
                edge_index=given["edge_index"][:, inside] - begin,
                edge_attr=given["edge_attr"][inside],
                y=given["y"][number].view(1),
            )
        )
    task = GraphTask(graphs, split="random", train=0.5, val=0.25)
    same = GraphTask.from_arrays(
        *(given[key] for key in ("x", "edge_index", "y", "graph_ptr")),
        edge_attr=given["edge_attr"],
        split="random",
        train=0.5,
        val=0.25,
    )
    assert task.hash == same.hash


def test_without_features_degrees_stand_for_them() -> None:
    task = GraphTask.from_arrays(**tiny_graphs.arrays() | {"x": None})
    assert task.in_features == 65
    batch = task.plain_batch(torch.tensor([0]))
    assert isinstance(batch.x, torch.Tensor) and batch.x.argmax(1).tolist() == [3, 1, 1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"graph_ptr": torch.tensor([0, 4, 4, 234])}, "graphs have no nodes"),
        ({"graph_ptr": torch.tensor([0, 5])}, "graph_ptr"),
        ({"edge_index": torch.tensor([[0], [30]])}, "edges join different graphs"),
        ({"edge_index": torch.tensor([[0], [3000]])}, "holds node 3000"),
        ({"x": torch.full((234, 2), -1)}, "whole numbers, which are taken for codes, and -1 in column 0"),
        ({"x": torch.full((234, 2), float("nan"))}, "NaN"),
        ({"edge_attr": torch.zeros(3, 2)}, "edge_attr has shape"),
        ({"y": torch.zeros(36, dtype=torch.long)}, "1 class"),
        ({"y": torch.full((36, 2), 0.5)}, "holds 0.5"),
        ({"y": torch.zeros(35, dtype=torch.long)}, "35 labels for 36 graphs"),
        ({"y": torch.cat([torch.full((18, 1), torch.nan), torch.ones(18, 1)])}, "18 graphs in train have no label"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"metric": "micro_f1"}, "give accuracy or roc_auc"),
        ({"train": torch.arange(0, 30)}, "are in both"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises((DataError, ConfigError), match=message):
        GraphTask.from_arrays(**tiny_graphs.arrays() | change)


@pytest.mark.parametrize("given", [3, "cora", {}, [], [object()]])
def test_other_things_than_graphs_are_refused(given: Any) -> None:
    with pytest.raises(DataError):
        GraphTask(given)


def test_raw_numbers_of_molecules_become_codes() -> None:
    """Carbon with a charge of -1, and a bond whose stereo is RDKit's Z; an unknown element is any other."""
    x = np.array([[6, 0, 4, -1, 3, 0, 2, 0, 0], [200, 0, 0, 0, 0, 0, 9, 1, 1]])
    arrays = GraphArrays(x, None, None, None, np.array([[1, 2, 1], [7, 1, 0]]))
    coded = molecules.coded(arrays)
    assert coded.x.tolist() == [[5, 0, 4, 4, 3, 0, 2, 0, 0], [118, 0, 0, 5, 0, 0, 5, 1, 1]]
    assert coded.edge_attr.tolist() == [[1, 1, 1], [4, 5, 0]]


def test_a_file_with_folds(tmp_path: Path) -> None:
    given = tiny_graphs.arrays()
    fold = np.arange(36) % 4
    path = tmp_path / "toy.npz"
    arrays = {key: given[key].numpy() for key in ("x", "edge_index", "y", "graph_ptr")}
    np.savez(path, fold=fold, **arrays)
    task = graph_datasets.load(str(path), split=1)
    assert np.array_equal(task.test_index, np.flatnonzero(fold == 1))
    assert np.array_equal(task.val_index, np.flatnonzero(fold == 2))
    assert task.split == "fold 1 of 4" and graph_datasets.knows(str(path))
    with pytest.raises(DataError, match="public split 4 does not exist"):
        graph_datasets.load(str(path), split=4)
    with pytest.raises(DataError, match="no set of graphs is called"):
        graph_datasets.load("nothing", root=tmp_path)
