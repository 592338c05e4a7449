"""The usual losses before their mean over nodes: where each node counts by itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.losses.soft_targets import classes_first
from graphstill.ops import Adjacency, edge_log_softmax, segment_sum


def soft_target_kl_by_node(target: Tensor, student: Tensor, temperature: float, multi_label: bool) -> Tensor:
    """`soft_target_kl` of each node: logits [.., n, C] and [.., n, C] -> [.., n].

    >>> even, sure = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 1.0]]]).log()  # 1/2, 1/2 and 3/4, 1/4
    >>> soft_target_kl_by_node(even, sure, 1.0, multi_label=False)  # 1/2 log 4/3
    tensor([[0.1438]])
    """
    if multi_label:
        a, b = target / temperature, student / temperature
        q = a.sigmoid()
        terms = q * (F.logsigmoid(a) - F.logsigmoid(b)) + (1 - q) * (F.logsigmoid(-a) - F.logsigmoid(-b))
        return terms.sum(-1) * temperature**2
    log_q, log_p = classes_first(target, temperature), classes_first(student, temperature)
    return (log_q.exp() * (log_q - log_p)).sum(-2) * temperature**2


def supervised_by_node(logits: Tensor, y: Tensor, multi_label: bool) -> Tensor:
    """`supervised` of each node, 0 where it has no label: [M, n, C] and labels (-1 or NaN: none) -> [M, n].

    >>> supervised_by_node(torch.zeros(1, 2, 4), torch.tensor([2, -1]), multi_label=False)  # log 4, no label
    tensor([[1.3863, 0.0000]])
    """
    if multi_label:
        known = ~torch.isnan(y)
        target = torch.where(known, y, 0.0).to(logits.dtype).expand_as(logits)
        loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return (loss * known).sum(-1) / known.sum(-1).clamp(min=1)
    picked = logits.log_softmax(-1).gather(-1, y.clamp(min=0).view(1, -1, 1).expand(len(logits), -1, 1))
    return -picked.squeeze(-1) * (y >= 0)


def local_structure_kl_by_node(graph: Adjacency, target: Tensor, student: Tensor) -> Tensor:
    """`local_structure_kl` of each node: similarities [.., E] -> [.., N], 0 where a node has no neighbour.

    >>> two = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)  # 1 -> 0 and 2 -> 0
    >>> local_structure_kl_by_node(two, torch.zeros(1, 2), torch.tensor([[3.0, 1.0]]).log())
    tensor([[0.1438, 0.0000, 0.0000]])
    """
    log_q, log_p = edge_log_softmax(graph, target), edge_log_softmax(graph, student)
    return segment_sum(graph, log_q.exp() * (log_q - log_p))
