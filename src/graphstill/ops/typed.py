"""Messages along edges of several types, over one numbering of all nodes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops.adjacency import Adjacency
from graphstill.ops.segments import edge_softmax
from graphstill.ops.spmm import spmm


def relation_means(relations: Sequence[Adjacency], x: Tensor, weights: Tensor) -> Tensor:
    """Σ_r W_r · mean of x over the sources of a node's edges of relation r; 0 where it has none.

    Schlichtkrull et al.: Modeling Relational Data with Graph Convolutional Networks, ESWC 2018 (RGCN), equation 2
    without its self-connection.

    Shapes: one graph of the same N nodes a relation; x [M, N, D]; weights [M, R, D, D'] -> [M, N, D'].

    Raises:
        ConfigError: another number of weights than of relations.

    >>> one = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)
    >>> relation_means([one], torch.tensor([[[0.0], [1.0], [5.0]]]), torch.tensor([[[[2.0]]]])).flatten().tolist()
    [6.0, 0.0, 0.0]
    """
    if weights.dim() != 4 or weights.shape[1] != len(relations):
        raise ConfigError(
            f"weights are {list(weights.shape)} for {len(relations)} relations. Where: relation_means. Pass [members, "
            "relations, width, width]."
        )
    out = x.new_zeros(max(len(x), len(weights)), x.shape[1], weights.shape[-1])
    for r, graph in enumerate(relations):
        # The narrower side goes along the edges.
        if weights.shape[-1] < x.shape[-1]:
            out = out + spmm(graph, graph.mean_weights(x.dtype), x @ weights[:, r])
        else:
            out = out + spmm(graph, graph.mean_weights(x.dtype), x) @ weights[:, r]
    return out


def relation_weights(shares: Tensor, bases: Tensor) -> Tensor:
    """W_r = Σ_b a_rb V_b: shares [M, R, B] and bases [M, B, D, D'] -> [M, R, D, D'].

    >>> relation_weights(torch.tensor([[[2.0, 1.0]]]), torch.ones(1, 2, 1, 1)).item()
    3.0
    """
    return torch.einsum("mrb,mbij->mrij", shares, bases)


def typed_attention(
    graph: Adjacency,
    source: Tensor,
    target: Tensor,
    edge: Tensor,
    slope: float = 0.05,
    previous: Tensor | None = None,
    residual: float = 0.05,
) -> Tensor:
    """softmax over a node's edges of LeakyReLU(source_j + target_i + edge_ij), mixed with the layer before.

    Lv et al.: Are We Really Making Much Progress?, KDD 2021 (SimpleHGN): α = (1 − β) α̂ + β sg α_previous.

    Shapes: source and target [.., N], edge [.., E] in CSR order, scores of the features and of the edges' types;
    previous [.., E] (None in the first layer) -> [.., E].

    >>> star = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)
    >>> zero = torch.zeros(1, 3)
    >>> typed_attention(star, zero, zero, torch.zeros(1, 2), previous=torch.tensor([[1.0, 0.0]]))
    tensor([[0.5250, 0.4750]])
    """
    scores = source.index_select(-1, graph.source) + target.index_select(-1, graph.target) + edge
    share = edge_softmax(graph, torch.nn.functional.leaky_relu(scores, slope))
    return share if previous is None else (1 - residual) * share + residual * previous.detach()


def along_metapath(path: Sequence[Adjacency], x: Tensor) -> Tensor:
    """Mean over the neighbours by each relation of a path in turn, D₁⁻¹A₁ D₂⁻¹A₂ .. x, the last one first.

    The relations point as messages do: the first of paper-author-paper leads from authors into papers. Without weights,
    so that it can be made once.

    Shapes: x [M, N, D] over all nodes -> the same.

    >>> step = Adjacency.from_edge_index(torch.tensor([[1, 2], [0, 0]]), 3)
    >>> along_metapath([step], torch.tensor([[[0.0], [2.0], [4.0]]])).flatten().tolist()
    [3.0, 0.0, 0.0]
    """
    for graph in reversed(path):
        x = spmm(graph, graph.mean_weights(x.dtype), x)
    return x
