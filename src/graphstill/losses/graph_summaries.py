"""Pooled embeddings: nodes judged against the summary of their graph, and shallow readouts against the deepest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphstill.losses.pairs import unit
from graphstill.ops import Groups


def summary_scores(u: Tensor, pooled: Tensor, graphs: Groups, weight: Tensor) -> Tensor:
    """Σ_k w_k u_ik σ(g_b(i))_k of every node i with the summary of its graph b(i): the global identifier of GraphAKD.

    He et al.: Compressing Deep Graph Neural Networks via Adversarial Knowledge Distillation, KDD 2022, at graph level.
    The sigmoid is applied here, once: the released code applies it a second time in the student's step.

    Shapes: u [M or 1, N, D], rows of length 1; pooled [M or 1, G, D] (`Groups.mean` of features as they are); weight
    [M, D] -> [M, N].

    >>> graphs = Groups.from_ptr(torch.tensor([0, 2]), 2)
    >>> summary_scores(torch.eye(2)[None], torch.zeros(1, 1, 2), graphs, torch.tensor([[1.0, 4.0]]))
    tensor([[0.5000, 2.0000]])
    """
    return (u * graphs.spread(weight.unsqueeze(1) * pooled.sigmoid())).sum(-1)


def readout_retention(readouts: Sequence[Tensor]) -> Tensor:
    """Σ_l mean over graphs of ‖u(g^(l)) − sg u(g^(L))‖², u: to length 1; each but the last learns from the last.

    Chen et al.: On Self-Distilling Graph Neural Network, IJCAI 2021, for graph classification. There is no official
    code; that embeddings are brought to length 1 is of this library.

    Shapes: readouts of all layers, first to last, each [M, G, D] (project those of other widths) -> [M].

    >>> readout_retention([torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 3.0]]])])
    tensor([2.])
    """
    last = unit(readouts[-1]).detach()
    each = [(unit(g) - last).square().sum(-1).mean(-1) for g in readouts[:-1]]
    return torch.stack(each).sum(0) if each else last.new_zeros(len(last))
