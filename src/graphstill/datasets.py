"""Named tasks: nodes by `graphstill.datasets.load("cora")`, graphs by `load_graphs`, images by `load_images`.

>>> gs.datasets.load("digits", train=5).num_outputs
10
"""

from graphstill.data.datasets import CATALOG, Entry, load, loader, names
from graphstill.data.graph_datasets import load as load_graphs
from graphstill.data.images import load as load_images

__all__ = ["CATALOG", "Entry", "load", "load_graphs", "load_images", "loader", "names"]
