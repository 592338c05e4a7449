"""Distances between hidden features of teacher and student: node by node, or position by position of an image."""

from __future__ import annotations

from torch import Tensor

from graphstill.losses.pairs import inverse_norm, unit
from graphstill.ops import Groups


def hint_distance(target: Tensor, student: Tensor) -> Tensor:
    """Mean over nodes and channels of (target − student)²: [M or 1, n, D] and [M, n, D] -> [M].

    >>> hint_distance(torch.zeros(1, 2, 3), torch.full((1, 2, 3), 2.0))
    tensor([4.])
    """
    return (target - student).square().mean((1, 2))


def attention_distance(target: Tensor, student: Tensor, power: float = 2.0, graphs: Groups | None = None) -> Tensor:
    """‖a^t − a^s‖², where a_i = Σ_c |h_ic|^power is brought to length 1 over the nodes; between 0 and 2.

    Of maps each image has an a of its own, over its positions, and the result is the mean over images. So it is of
    graphs, where `graphs` says which node is in which: a of length 1 within a graph, mean over the graphs.

    Shapes: features [M or 1, n, D_t] and [M, n, D_s], or maps [M or 1, n, C_t, H, W] and [M, n, C_s, H, W] -> [M].
    Widths may differ.

    >>> h = torch.tensor([[[1.0], [1.0], [5.0]]])
    >>> attention_distance(h, h * 2, graphs=Groups.from_ptr(torch.tensor([0, 2, 3]), 3))
    tensor([0.])
    """
    if graphs is not None:
        maps = [_by_graph(h.square() if power == 2.0 else h.abs().pow(power), graphs) for h in (target, student)]
        return (maps[0] - maps[1]).square().sum(-1) / max(graphs.count, 1)

    def attention(h: Tensor) -> Tensor:
        return unit((h.square() if power == 2.0 else h.abs().pow(power)).sum(2).flatten(2 if h.dim() == 5 else 1))

    distance = (attention(target) - attention(student)).square().sum(-1)
    return distance.mean(-1) if student.dim() == 5 else distance


def _by_graph(powers: Tensor, graphs: Groups) -> Tensor:
    """Sums over channels, of length 1 within each graph: [M, n, D] -> [M, n]."""
    a = powers.sum(2)
    return a * graphs.spread(inverse_norm(graphs.sum(a.square())))
