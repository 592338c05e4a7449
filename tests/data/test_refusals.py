"""Each kind of unusable data has its own message."""

import numpy as np
import pytest
import scipy.sparse
import torch
from torch_geometric.data import Data

from graphstill.data import NodeTask
from graphstill.errors import ConfigError, DataError
from tests.data import toy

GOOD = toy.arrays()


def with_value(array, index, value):
    changed = array.clone()
    changed[index] = value
    return changed


WRONG = [
    # features
    ({"x": with_value(GOOD["x"], (3, 1), torch.nan)}, r"x holds 1 values that are NaN .* row 3, column 1"),
    ({"x": with_value(GOOD["x"], (3, 1), -torch.inf)}, "x holds 1 values that are NaN or too large for float32"),
    ({"x": GOOD["x"].double() * 1e300}, "too large for float32"),
    ({"x": with_value(GOOD["x"], (3, 1), torch.nan).to_sparse()}, "x holds 1 values that are NaN"),
    ({"x": scipy.sparse.csr_matrix(with_value(GOOD["x"], (0, 0), torch.nan).numpy())}, "stored value 0"),
    ({"x": GOOD["x"][:, 0]}, r"x has shape \[12\]"),
    ({"x": torch.zeros(12, 0)}, r"x has shape \[12, 0\]"),
    ({"x": GOOD["x"].to(torch.complex64)}, "features are real numbers"),
    ({"x": np.array([["a"] * 3] * 12)}, "x is a ndarray, not numbers"),
    ({"x": None}, "x is a NoneType, not numbers"),
    # edges
    ({"edge_index": with_value(GOOD["edge_index"], (0, 0), 12)}, r"edge_index holds node 12, but x has 12 rows"),
    ({"edge_index": with_value(GOOD["edge_index"], (1, 4), -1)}, "edge_index holds node -1"),
    ({"edge_index": GOOD["edge_index"].float()}, "edge_index holds torch.float32"),
    ({"edge_index": torch.eye(12, dtype=torch.bool)[:2]}, "edge_index holds torch.bool"),
    ({"edge_index": GOOD["edge_index"].t()}, r"edge_index has shape \[30, 2\].*give edge_index.t\(\)"),
    ({"edge_index": GOOD["edge_index"][0]}, r"edge_index has shape \[30\]"),
    ({"edge_index": "edges.csv"}, "edge_index is a str, not numbers"),
    # labels
    ({"y": GOOD["y"][:-1]}, r"y has shape \[11\] and x has 12 rows"),
    ({"x": GOOD["x"][:-1], "edge_index": GOOD["edge_index"] % 11}, r"y has shape \[12\] and x has 11 rows"),
    ({"y": torch.tensor(3)}, r"y has shape \[\]"),
    ({"y": with_value(GOOD["y"], 0, -2)}, "y holds label -2, but there are 2 classes"),
    ({"num_classes": 2, "y": with_value(GOOD["y"], 11, 2)}, "y holds label 2, but there are 2 classes"),
    ({"y": GOOD["y"].float()}, r"convert it with y.long\(\)"),
    ({"y": torch.zeros(12, dtype=torch.long)}, "y holds 1 class: there is nothing to tell apart"),
    ({"y": torch.full((12, 2), 2.0)}, "y holds 2 in 2 columns"),
    ({"y": with_value(torch.ones(12, 3), (1, 1), torch.nan)}, "only part of their labels"),
    ({"y": np.array(["a", "b"] * 6)}, "y is a ndarray, not numbers"),
    # splits
    ({"val": [1, 2, 3]}, "1 nodes .first: 1. are in both train and val of split 'given'"),
    ({"test": [0, 4]}, "in both train and test"),
    ({"train": []}, "train of split 'given' is empty"),
    ({"val": []}, "val of split 'given' is empty"),
    ({"test": torch.zeros(12, dtype=torch.bool)}, "test of split 'given' is empty"),
    ({"test": [12]}, "node 12 in test of split 'given', but the data has 12 nodes"),
    ({"test": torch.arange(11) == 10}, "a mask of length 11 in test of split 'given', but the data has 12 nodes"),
    ({"y": with_value(GOOD["y"], 0, -1)}, "1 nodes in train have no label .first: 0."),
    ({"y": with_value(GOOD["y"], 3, -1)}, "1 nodes in val have no label .first: 3."),
    ({"y": with_value(GOOD["y"], 9, -1)}, "1 nodes in test have no label .first: 9."),
    ({"y": with_value(torch.ones(12, 3), 9, torch.nan)}, "1 nodes in test have no label .first: 9."),
    ({"val": None}, "val missing of train, val and test masks"),
    ({"train": None, "val": None, "test": None, "split": "pubic"}, "did you mean 'public'"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_wrong_data_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        toy.task(**changes)


def several(**changes):
    return toy.several_graphs() | changes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (several(graph_ptr=torch.tensor([0, 3, 7])), "does not cut 21 nodes"),
        (several(graph_ptr=torch.tensor([0, 7, 3, 21])), "does not cut 21 nodes"),
        (several(graph_ptr=torch.tensor([0, 3, 3, 21])), "does not cut 21 nodes"),
        (several(edge_index=torch.tensor([[0, 2], [1, 3]])), r"1 edges join different graphs .first: 2 to 3."),
        (several(train=[0, 1], val=[2], test=[3]), "graph 0 holds train and val nodes"),
    ],
)
def test_wrong_sets_of_graphs_are_refused(given, message):
    with pytest.raises(DataError, match=message):
        NodeTask.from_arrays(**given)


def graph(nodes=3, width=2, labels=None, edge=(0, 1), **extra):
    edges = torch.tensor([edge, edge[::-1]]).t()
    y = torch.arange(nodes if labels is None else labels) % 2
    return Data(x=torch.ones(nodes, width), edge_index=edges, y=y, **extra)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (([], [graph()], [graph()]), "no train graphs in from_graphs"),
        (([graph()], [graph()], [graph(width=3)]), r"x of the graphs have widths \[\(2,\), \(3,\)\]"),
        (
            ([graph(4, labels=3), graph(3, labels=4)], [graph()], [graph()]),
            "graph 0 in from_graphs has 3 labels for 4 rows",
        ),
        (([graph()], [graph(edge=(0, 3))], [graph()]), "edge_index of graph 1 holds node 3, but x has 3 rows"),
    ],
)
def test_wrong_pyg_graphs_are_refused(parts, message):
    with pytest.raises(DataError, match=message):
        NodeTask.from_graphs(*parts)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (Data(edge_index=GOOD["edge_index"], y=GOOD["y"]), "Data has no x"),
        (Data(x=GOOD["x"], edge_index=GOOD["edge_index"]), "Data has no y"),
        (Data(x=GOOD["x"], y=GOOD["y"]), "Data has no edge_index"),
        (Data(x=GOOD["x"], edge_index=GOOD["edge_index"], y=GOOD["y"]), "the data has no public split"),
        ([graph(), graph()], r"a list, a collection of graphs: give dataset\[0\]"),
        (3, "int has no edge_index"),
    ],
)
def test_objects_that_are_no_task_are_refused(data, message):
    with pytest.raises(DataError, match=message):
        NodeTask(data)


def test_an_unknown_normalisation_is_refused():
    with pytest.raises(ConfigError, match="normalize='rows' of a NodeTask is not known"):
        toy.task(normalize="rows")
