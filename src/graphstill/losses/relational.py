"""Relations between sampled nodes: distances, angles, similarities. Widths of teacher and student may differ."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses.pairs import inverse_norm, of_members, root, squared_distances, sum_over_rows, unit


def distance_relation(target: Tensor, student: Tensor) -> Tensor:
    """Smooth L1 between all pairwise distances, those of each network divided by their mean (zeros left out).

    Park et al., Relational Knowledge Distillation, CVPR 2019, section 3.2.1. Shapes: features [M or 1, n, D_t] and
    [M, n, D_s] -> [M], the mean over n² pairs. Memory O(n²): sample the nodes.

    >>> h = torch.tensor([[[0.0], [1.0], [3.0]]])
    >>> round(distance_relation(h, 3 * h).item(), 6)  # distances are divided by their mean
    0.0
    """

    def relation(h: Tensor) -> Tensor:
        h = h - h.mean(1, keepdim=True)
        d = root(squared_distances(h, h))
        mean = d.sum((1, 2), keepdim=True) / (d > 0).sum((1, 2), keepdim=True).clamp(min=1)
        return d / torch.where(mean > 0, mean, 1.0)

    s = relation(student)
    return F.smooth_l1_loss(s, relation(target).expand_as(s), reduction="none").mean((1, 2))


def angle_relation(target: Tensor, student: Tensor) -> Tensor:
    """Smooth L1 between the cosines of the angles at i between j and k, of all ordered triples.

    Park et al., section 3.2.2. Shapes: features [M or 1, n, D_t] and [M, n, D_s] -> [M], the mean over n³ triples. Time
    O(n³ D), memory in blocks: sample the nodes.

    >>> h = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]]])
    >>> round(angle_relation(h, 3 * h).item(), 6)  # angles have no scale
    0.0
    """
    members, n = student.shape[:2]

    def cosines(h: Tensor, some: slice, rows: slice) -> Tensor:
        h = of_members(h, some)
        arms = unit(h.unsqueeze(1) - h[:, rows].unsqueeze(2))
        return arms @ arms.transpose(-1, -2)

    def term(some: slice, rows: slice) -> Tensor:
        s = cosines(student, some, rows)
        return F.smooth_l1_loss(s, cosines(target, some, rows).expand_as(s), reduction="none").sum((1, 2, 3))

    size = n * max(n, target.shape[-1], student.shape[-1])
    return sum_over_rows(term, members, n, size) / n**3


def similarity_rows(target: Tensor, student: Tensor) -> Tensor:
    """Mean over nodes i of ‖Ĝ^t_i − Ĝ^s_i‖², where G = H Hᵀ and Ĝ has rows of length 1; between 0 and 4.

    Tung, Mori: Similarity-Preserving Knowledge Distillation, ICCV 2019, section 3. Shapes: features [M or 1, n, D_t]
    and [M, n, D_s] -> [M].

    G_i^s · G_i^t = h_i^s (H_sᵀ H_t) h_i^t, so that no array [n, n] is made and the cost is O(n D²). Where there are
    fewer rows than both widths, as of maps of a batch of images, G itself is the cheaper: O(n² D).

    >>> similarity_rows(torch.eye(2)[None], torch.ones(1, 2, 1))  # 2 - 2 cos 45°
    tensor([0.5858])
    """

    def by_widths(a: Tensor, b: Tensor) -> Tensor:
        return (a @ (a.transpose(1, 2) @ b) * b).sum(-1)

    def by_rows(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum(-1)

    product = by_widths
    if student.shape[1] < min(student.shape[-1], target.shape[-1]):
        student, target = (h @ h.transpose(1, 2) for h in (student, target))
        product = by_rows
    lengths_s, lengths_t = (inverse_norm(product(h, h)) for h in (student, target))
    cosine = product(student, target) * lengths_s * lengths_t
    return ((lengths_s > 0).to(cosine) + (lengths_t > 0).to(cosine) - 2 * cosine).mean(-1)
