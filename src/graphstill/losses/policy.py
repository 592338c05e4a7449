"""Policy gradient (Williams, Machine Learning 8, 1992): what was done more often where it was rewarded."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.ops import Adjacency, segment_sum


def bernoulli_log_probability(logits: Tensor, action: Tensor) -> Tensor:
    """log probability of `action`, 0 or 1, where 1 has the probability σ(logit); any equal shapes.

    >>> bernoulli_log_probability(torch.zeros(2), torch.tensor([0.0, 1.0]))  # log 1/2
    tensor([-0.6931, -0.6931])
    """
    return F.logsigmoid(torch.where(action > 0.5, logits, -logits))


def reinforce(log_probability: Tensor, advantage: Tensor) -> Tensor:
    """−mean of advantage · log probability, [R, ...] -> [R]; 0 where there is nothing.

    Its gradient is, in the mean over actions, that of minus the expected reward. The advantage is a constant.

    >>> reinforce(torch.tensor([[-1.0, -2.0]]), torch.tensor([[1.0, 0.5]]))
    tensor([1.])
    """
    return -(advantage.detach() * log_probability).flatten(1).sum(1) / max(log_probability[0].numel(), 1)


def with_neighbourhood(graph: Adjacency, value: Tensor, known: Tensor, weight: float) -> tuple[Tensor, Tensor]:
    """A node's own value plus `weight` times the mean of its neighbours', as far as they are known.

    Shapes: value [R, P, N], known 0 or 1 [N] -> [R, P, N], and 0 or 1 [N], whether anything was known.

    >>> one = Adjacency.from_edge_index(torch.tensor([[0], [1]]), 2)  # 0 -> 1
    >>> with_neighbourhood(one, torch.tensor([[[2.0, 0.0]]]), torch.tensor([1.0, 0.0]), 0.5)
    (tensor([[[2., 1.]]]), tensor([1., 1.]))
    """
    value = value * known
    count = segment_sum(graph, known.index_select(0, graph.source))
    around = segment_sum(graph, value.index_select(-1, graph.source)) / count.clamp(min=1)
    return value + weight * around, ((known + count) > 0).to(value.dtype)
