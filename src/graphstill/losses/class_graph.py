"""Nodes that are classes: a graph network writes the last layer of a classifier, also for classes it never saw."""

from __future__ import annotations

from torch import Tensor

from graphstill.losses.pairs import unit


def weight_regression(rows: Tensor, prediction: Tensor, graph_classes: int | None = None) -> Tensor:
    """½ · mean over seen classes of ‖u(ŵ_c) − u(w_c)‖² = mean of 1 − cos, u: to length 1.

    Kampffmeyer et al.: Rethinking Knowledge Graph Propagation for Zero-Shot Learning, CVPR 2019 (DGP). With
    `graph_classes` as Wang, Ye, Gupta: Zero-shot Recognition via Semantic Embeddings and Knowledge Graphs, CVPR 2018
    have it in their code: the sum over seen classes, times (classes of the graph / seen classes)², which weighs the
    loss against weight decay by the size of the graph.

    Shapes: rows w of the classifier, bias last, [M or 1, S, D]; prediction ŵ at the same classes [M, S, D] -> [M].

    >>> w, p = torch.tensor([[[3.0, 4.0], [0.0, 2.0]]]), torch.tensor([[[0.6, 0.8], [0.8, 0.6]]])
    >>> [round(weight_regression(w, p, n).item(), 4) for n in (None, 4)]
    [0.2, 1.6]
    """
    squares = (unit(prediction) - unit(rows.detach())).square().sum(-1) / 2
    if graph_classes is None:
        return squares.mean(-1)
    return squares.sum(-1) * (graph_classes / prediction.shape[1]) ** 2
