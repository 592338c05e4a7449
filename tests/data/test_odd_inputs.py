"""What people have in the place of tensors and of a Data: it works, or the message says the way from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from torch_geometric.data import Data, HeteroData, TemporalData

from graphstill.data import NodeTask, Split
from graphstill.errors import DataError
from tests.data import toy


class Frame:
    """A column or a table of pandas, as far as this library looks at one: its own index, and `to_numpy`."""

    def __init__(self, values: Any, dtype: Any = None) -> None:
        self._values = np.asarray(values, dtype)

    def __getitem__(self, key: object) -> Any:
        raise KeyError(key)  # labels of rows and columns are no positions

    def __len__(self) -> int:
        return len(self._values)

    def to_numpy(self) -> np.ndarray:
        return self._values


def test_columns_and_tables() -> None:
    given, expected = toy.arrays(), toy.task()
    x, y = given["x"].numpy(), given["y"].numpy()
    for frames in ({"x": Frame(x), "y": Frame(y)}, {"x": Frame(x, object)}, {"x": x.tolist()}, {"x": list(given["x"])}):
        assert toy.task(**frames).hash == expected.hash
    big_endian = x.astype(">f4")
    assert toy.task(x=big_endian).hash == expected.hash == toy.task(x=x[::-1][::-1]).hash
    missing = Frame([None, *x[1:, 0]], object)
    with pytest.raises(DataError, match="NaN"):
        toy.task(x=Frame(np.stack([missing.to_numpy()] * 3, 1)))


@pytest.mark.parametrize("y", [["a", "b"] * 6, np.array(["a", "b"] * 6), Frame(["a", "b"] * 6, object)])
def test_labels_that_are_text(y: Any) -> None:
    with pytest.raises(DataError, match=r"y is a .*it holds text; encode it as whole numbers"):
        toy.task(y=y)


def test_masks_as_they_used_to_be() -> None:
    node = torch.arange(12)
    masks = {part: torch.isin(node, torch.tensor(getattr(toy, part.upper()))) for part in ("train", "val", "test")}
    expected = toy.task(**masks).hash
    for shape in ((12,), (12, 1)):
        assert toy.task(**{part: mask.to(torch.uint8).view(shape) for part, mask in masks.items()}).hash == expected
    assert toy.task(**{part: mask.view(12, 1) for part, mask in masks.items()}).hash == expected
    assert Split(torch.tensor([0, 1], dtype=torch.uint8), [2], [3]).train.tolist() == [0, 1], "two numbers are ids"


def test_no_edges_as_floats() -> None:
    assert toy.task(edge_index=torch.tensor([[], []])).num_edges == 0


@pytest.mark.parametrize(
    ("data", "way"),
    [
        ("cora", r"was given a str: give gs.datasets.load\(name\)"),
        (Path("cora.npz"), "gs.NodeTask.from_npz"),
        (networkx.path_graph(3), "torch_geometric.utils.from_networkx"),
        (HeteroData(), "to_homogeneous"),
        (TemporalData(), "its edges have times"),
        (None, "give a torch_geometric.data.Data"),
        (np.zeros((3, 3)), "from_arrays"),
        (torch.zeros(3, 3), "from_arrays"),
        ({"x": 1}, "from_arrays"),
        ([Data()], "a collection of graphs: give dataset"),
        (3, "int has no edge_index"),
    ],
)
def test_other_things_than_a_graph(data: Any, way: str) -> None:
    with pytest.raises(DataError, match=way):
        NodeTask(data)


def test_graphs_of_numpy_arrays() -> None:
    def graph(n: int) -> Data:
        return Data(x=np.ones((n, 2), np.float32), edge_index=np.array([[0], [1]]), y=np.arange(n) % 2)

    assert NodeTask.from_graphs([graph(4)], [graph(3)], [graph(3)]).num_nodes == 10
