"""Local structure where teacher and student see different graphs: similarities on the union of their edges.

Yang et al., Distilling Knowledge from Graph Convolutional Networks, CVPR 2020, for networks that find neighbours anew
from the features of every layer (EdgeConv): what is compared must be defined in both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, edge_dot, edge_log_softmax, edge_squared_distance, segment_sum

Which = Literal["union", "student", "teacher"]
WHICH: tuple[str, ...] = get_args(Which)
UnionKernel = Literal["negative_euclidean", "rbf", "poly", "linear"]
UNION_KERNELS: tuple[str, ...] = get_args(UnionKernel)
#: The score of a pair that does not count: its share of a softmax is 0, and it is a finite number.
LOW = -1e30


@dataclass(frozen=True, eq=False)
class NeighbourPairs:
    """Pairs (node, neighbour) at which both networks are compared.

    Attributes:
        graph: an edge for each pair, from the neighbour into the node; the graphs of several members side by side.
        kept: bool [E], False for edges that only fill a row; None where all count.
        members: how many graphs there are side by side; 1 where all members share them.
    """

    graph: Adjacency
    kept: Tensor | None
    members: int


def table_pairs(student: Tensor, target: Tensor, which: Which = "union", self_pairs: bool = False) -> NeighbourPairs:
    """Pairs of neighbour tables; a pair that is in both is there once.

    The shapes of the result do not depend on the tables' contents: a row is as long as both tables' together, or as
    there are nodes, and entries that are in it twice are not kept.

    Args:
        student: integers [M or 1, n, k], the neighbours of each node; below 0: no neighbour.
        target: the teacher's, [M or 1, n, k_t].
        which: the pairs of both, or of one network alone.
        self_pairs: whether a node is paired with itself, always or never, whatever the tables say.

    Raises:
        ConfigError: shapes that do not go together.

    >>> student, target = torch.tensor([[[1], [0], [0]]]), torch.tensor([[[2], [0], [0]]])
    >>> pairs = table_pairs(student, target)
    >>> pairs.graph.edge_index()[:, pairs.kept].flip(0).T.tolist()
    [[0, 1], [0, 2], [1, 0], [2, 0]]
    """
    if student.dim() != 3 or target.dim() != 3 or student.shape[1] != target.shape[1]:
        raise ConfigError(
            f"neighbour tables {list(student.shape)} and {list(target.shape)}. Where: table_pairs. Pass [members, "
            "nodes, neighbours] twice, of the same nodes."
        )
    members, nodes = max(len(student), len(target)), student.shape[1]
    own = torch.arange(nodes, device=student.device).view(1, nodes, 1).expand(members, -1, -1)
    parts = {"student": [student], "teacher": [target], "union": [student, target]}[which]
    table = torch.cat([part.to(own.dtype).expand(members, -1, -1) for part in parts], -1)
    table = table.masked_fill(table == own, -1)
    if self_pairs:
        table = torch.cat([table, own], -1)
    table = _once(table)
    if table.shape[-1] > nodes:
        # More than there are nodes: torch's sampled products cut off what no matrix [n, n] could hold.
        table = table.sort(-1, descending=True).values[..., :nodes]
    kept = table >= 0
    width, rows = table.shape[-1], members * nodes
    shift = torch.arange(members, device=own.device).view(-1, 1, 1) * nodes
    source = (torch.where(kept, table, own) + shift).flatten()
    numbers = torch.arange(rows + 1, dtype=torch.int32, device=own.device)
    order = torch.arange(rows * width, device=own.device)
    graph = Adjacency(numbers * width, source.int(), numbers[:-1].repeat_interleave(width), order)
    return NeighbourPairs(graph, kept.flatten(), members)


def _once(table: Tensor) -> Tensor:
    """Rows in rising order, in which all but the first of equal entries are -1."""
    table = table.sort(-1).values
    again = table[..., 1:] == table[..., :-1]
    return torch.cat([table[..., :1], table[..., 1:].masked_fill(again, -1)], -1)


def graph_pairs(
    student: Adjacency, target: Adjacency, which: Which = "union", self_pairs: bool = False
) -> NeighbourPairs:
    """`table_pairs` of two graphs of the same nodes that all members share; duplicate edges count once.

    For graphs that stay: the number of pairs depends on them, so make it once, not in each step.

    Raises:
        ConfigError: numbers of nodes that differ.

    >>> one = Adjacency.from_edge_index(torch.tensor([[1], [0]]), 3)
    >>> two = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)
    >>> graph_pairs(one, two).graph.edge_index().tolist()
    [[1, 2], [0, 0]]
    """
    if student.num_nodes != target.num_nodes:
        raise ConfigError(
            f"graphs of {student.num_nodes} and {target.num_nodes} nodes. Where: graph_pairs. Pass two graphs of the "
            "same nodes."
        )
    nodes = student.num_nodes
    parts = {"student": [student], "teacher": [target], "union": [student, target]}[which]
    source, goal = torch.cat([part.edge_index() for part in parts], 1)
    codes = (goal * nodes + source)[source != goal]
    if self_pairs:
        codes = torch.cat([codes, torch.arange(nodes, device=codes.device) * (nodes + 1)])
    codes = codes.unique()
    return NeighbourPairs(Adjacency.from_edge_index(torch.stack([codes % nodes, codes // nodes]), nodes), None, 1)


def union_structure_kl(
    pairs: NeighbourPairs,
    target: Tensor,
    student: Tensor,
    kernel: UnionKernel = "negative_euclidean",
    bandwidth: float | Literal["mean"] = "mean",
    direction: Literal["target", "student"] = "target",
) -> Tensor:
    """KL between softmax over each node's pairs of the kernel, mean over nodes that have a pair.

    ``negative_euclidean``: −‖a−b‖² / (2σ²); ``rbf``: its exponential, of which the authors of binary graph networks
    (Bahri et al., Binary Graph Neural Networks, CVPR 2021) use exp(−‖a−b‖²), σ² = ½, with self-pairs; ``poly``:
    (a·b)²; ``linear``: a·b. ``bandwidth`` is σ, or "mean": σ² is the mean of ‖a−b‖² over the pairs of each member and
    network, with its gradient, so that the size of features does not matter.

    Deviations: the default kernel is not exponentiated and self-pairs are out, for features are wide: every exp(−‖·‖²)
    but the self-pair's is then 0 in both networks, and so is the loss.

    Shapes: features [M or 1, n, D_t] and [M, n, D_s] -> [M]. Memory O(pairs + nodes · width). ``direction="target"`` is
    KL(target ‖ student).

    >>> table = torch.tensor([[[1, 2], [0, 2], [0, 1]]])
    >>> s = torch.tensor([[[0.0], [1.0], [3.0]]])
    >>> bool(union_structure_kl(table_pairs(table, table), 2 * s, s).abs() < 1e-6)
    True
    """
    log_q = _distribution(pairs, target, kernel, bandwidth, max(len(target), pairs.members))
    log_p = _distribution(pairs, student, kernel, bandwidth, len(student))
    terms = log_q.exp() * (log_q - log_p) if direction == "target" else log_p.exp() * (log_p - log_q)
    if pairs.kept is not None:
        terms = terms * pairs.kept
    nodes = (_counts(pairs, terms.dtype) > 0).sum(-1).clamp(min=1)
    return segment_sum(pairs.graph, terms).view(len(student), -1).sum(-1) / nodes


def _distribution(
    pairs: NeighbourPairs, x: Tensor, kernel: UnionKernel, bandwidth: float | Literal["mean"], members: int
) -> Tensor:
    """log softmax over each node's pairs: [M, n, D] -> [M, E], or [1, E] of the members side by side."""
    if pairs.members > 1:
        x = x.expand(members, -1, -1).flatten(0, 1).unsqueeze(0)
    scores = _scores(pairs, x, kernel, bandwidth)
    if pairs.kept is not None:
        scores = scores.masked_fill(~pairs.kept, LOW)
    return edge_log_softmax(pairs.graph, scores)


def _scores(pairs: NeighbourPairs, x: Tensor, kernel: UnionKernel, bandwidth: float | Literal["mean"]) -> Tensor:
    graph = pairs.graph
    if kernel in ("linear", "poly"):
        products = edge_dot(graph, x)
        return products if kernel == "linear" else products.square()
    squared = edge_squared_distance(graph, x)
    variance: Tensor | float
    if isinstance(bandwidth, str):
        counted = squared if pairs.kept is None else squared * pairs.kept
        each = segment_sum(graph, counted).view(len(x), pairs.members, -1).sum(-1)
        mean = each / _counts(pairs, x.dtype).sum(-1).clamp(min=1)
        nodes = graph.num_nodes // pairs.members
        variance = mean.clamp(min=1e-12).index_select(1, graph.target // max(nodes, 1))
    else:
        variance = float(bandwidth) ** 2
    scaled = -squared / (2 * variance)
    return scaled.exp() if kernel == "rbf" else scaled


def _counts(pairs: NeighbourPairs, dtype: torch.dtype) -> Tensor:
    """Pairs of each node, [members of the pairs, n]."""
    if pairs.kept is None:
        return pairs.graph.ptr.diff().to(dtype).view(pairs.members, -1)
    return segment_sum(pairs.graph, pairs.kept.to(dtype)).view(pairs.members, -1)
