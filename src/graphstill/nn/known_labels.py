"""The labels that a network may have as an input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class KnownLabels:
    """What a network may know of the labels of one graph.

    Shapes:
        labels: int64 ``[nodes]``, -1 where the label is not known.
    """

    labels: Tensor

    @classmethod
    def of(cls, num_nodes: int, nodes: Tensor, labels: Tensor) -> KnownLabels:
        """The labels of these nodes (int64 numbers) and of no other."""
        known = labels.new_full((num_nodes,), -1)
        known[nodes] = labels
        return cls(known)

    @classmethod
    def none(cls, num_nodes: int) -> KnownLabels:
        """No label at all: for a network whose labels are loaded with its weights."""
        return cls(torch.full((num_nodes,), -1))

    @property
    def num_nodes(self) -> int:
        return len(self.labels)
