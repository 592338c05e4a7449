"""How often neighbours share a class: what many methods count on without saying so."""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.ops.adjacency import Adjacency


def homophily(graph: Adjacency, y: Tensor) -> dict[str, float] | None:
    """Edge homophily and adjusted homophily of the edges between nodes whose class may be seen.

    Platonov, Kuznedelev, Babenko, Prokhorenkova: Characterizing Graph Datasets for Node Classification:
    Homophily-Heterophily Dichotomy and Beyond, NeurIPS 2023, section 2: with the share h of edges that join equal
    classes and the sum D_k of the degrees of class k,

        h_adj = (h - S) / (1 - S),   S = sum over k of (D_k / 2|E|)^2

    It is 1 where all neighbours are equal, about 0 where classes are joined at random, and negative where they avoid
    themselves, whatever the sizes of the classes.

    Args:
        graph: N nodes. y: int64 [N], -1 where the class is hidden or unknown: test labels are not looked at.

    Returns:
        "edge", "adjusted", and "edges" (how many stored edges could be judged, without self-loops); None for several
        labels a node, and where no edge joins two known classes. Adjusted homophily is 0 where there is one class.
    """
    if y.ndim != 1:
        return None
    source, target = y[graph.source.long()], y[graph.target.long()]
    judged = (source >= 0) & (target >= 0) & (graph.source != graph.target)
    source, target = source[judged], target[judged]
    if not len(source):
        return None
    share = float((source == target).double().mean())
    degrees = torch.bincount(torch.cat([source, target])).double() / (2 * len(source))
    expected = float(degrees.square().sum())
    adjusted = (share - expected) / (1 - expected) if expected < 1 else 0.0
    return {"edge": round(share, 4), "adjusted": round(adjusted, 4), "edges": len(source)}
