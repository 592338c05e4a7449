"""Weights of edges that follow from the graph alone, as a value that knows which they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["ones", "gcn", "mean"]


class Owner:
    """What an adjacency knows its own weights by: not itself, which must be freed as soon as nobody asks for it."""

    def __repr__(self) -> str:
        return "Owner()"


@dataclass(frozen=True, eq=False)
class EdgeWeights:
    """One weight an edge, made by an adjacency of its own degrees: it never changes, and no gradient flows into it.

    What depends on such weights alone (their order in the transpose, another precision) is kept by the adjacency under
    their kind. Weights of any other origin are plain tensors.

    Attributes:
        kind: "ones"; "gcn", D^-1/2 A D^-1/2; "mean", 1 / in-degree of the target.
        values: [E], in the adjacency's CSR order.
        owner: what the adjacency that made them knows its own by.
    """

    kind: Kind
    values: Tensor
    owner: Owner

    @property
    def dtype(self) -> torch.dtype:
        return self.values.dtype

    @property
    def shape(self) -> torch.Size:
        return self.values.shape


def tensor_of(weights: EdgeWeights | Tensor) -> Tensor:
    """Weights of any origin as a tensor."""
    return weights.values if isinstance(weights, EdgeWeights) else weights


def from_degrees(kind: Kind, ptr: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Weights of a kind in double precision, [E], of edges in CSR order: int32 ptr [N + 1], source and target [E]."""
    if kind == "ones":
        return torch.ones(source.numel(), dtype=torch.float64, device=source.device)
    if kind == "mean":
        return ptr.diff().double().reciprocal()[target]
    scale = ptr.diff().double().rsqrt()
    scale = torch.where(scale.isinf(), 0.0, scale)
    return scale[target] * scale[source]
