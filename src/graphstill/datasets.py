"""Named tasks: nodes by `graphstill.datasets.load("cora")`, graphs by `load_graphs`, images by `load_images`."""

from graphstill.data.datasets import CATALOG, Entry, load, loader, names
from graphstill.data.graph_datasets import load as load_graphs
from graphstill.data.images import load as load_images

__all__ = ["CATALOG", "Entry", "load", "load_graphs", "load_images", "loader", "names"]
