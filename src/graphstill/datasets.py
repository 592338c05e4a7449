"""Named node tasks: `graphstill.datasets.load("cora")`."""

from graphstill.data.datasets import CATALOG, Entry, load, names

__all__ = ["CATALOG", "Entry", "load", "names"]
