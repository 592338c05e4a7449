"""Named tasks: nodes by `graphstill.datasets.load("cora")`, images by `load_images("cifar100")`."""

from graphstill.data.datasets import CATALOG, Entry, load, loader, names
from graphstill.data.images import load as load_images

__all__ = ["CATALOG", "Entry", "load", "load_images", "loader", "names"]
