"""PyG's own datasets, with their download, as arrays. PyG takes seconds to import: only when called."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import torch

from graphstill.data.arrays import Arrays, from_graphs, from_pyg
from graphstill.data.choose import PublicSplits
from graphstill.errors import DataError

Source = Callable[[Path], Arrays]


def planetoid(name: str) -> Source:
    def load(root: Path) -> Arrays:
        from torch_geometric.datasets import Planetoid

        data = Planetoid(str(root), name)[0]
        # CiteSeer's 15 nodes without words are in no file of labels; PyG's reader calls them class 0.
        data.y = torch.where((data.x != 0).any(dim=1), data.y, -1)
        return from_pyg(data)

    return load


def named(dataset: str, name: str) -> Source:
    """One graph of a PyG dataset class that takes (root, name)."""

    def load(root: Path) -> Arrays:
        import torch_geometric.datasets as datasets

        return from_pyg(getattr(datasets, dataset)(str(root), name)[0])

    return load


def alone(dataset: str) -> Source:
    """The one graph of a PyG dataset class that takes (root)."""

    def load(root: Path) -> Arrays:
        import torch_geometric.datasets as datasets

        return from_pyg(getattr(datasets, dataset)(str(root / dataset))[0])

    return load


def ppi(root: Path) -> Arrays:
    from torch_geometric.datasets import PPI

    parts = [list(PPI(str(root / "PPI"), split=part)) for part in ("train", "val", "test")]
    return from_graphs(parts[0], parts[1], parts[2])


def ogb(name: str, undirected: bool = False) -> Source:
    """A node property set of the Open Graph Benchmark, with its split; needs the package ogb."""

    def load(root: Path) -> Arrays:
        try:
            dataset_class = importlib.import_module("ogb.nodeproppred").PygNodePropPredDataset
        except ImportError as error:
            raise DataError(f"{name} needs the package ogb, which is not installed: pip install ogb") from error
        from torch_geometric.utils import to_undirected

        dataset = dataset_class(name, root=str(root))
        data, index = dataset[0], dataset.get_idx_split()
        edge_index = to_undirected(data.edge_index, num_nodes=data.num_nodes) if undirected else data.edge_index
        return Arrays(data.x, edge_index, data.y, PublicSplits(index["train"], index["valid"], index["test"]))

    return load
