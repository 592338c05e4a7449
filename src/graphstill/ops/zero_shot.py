"""Classifiers of classes without examples that need no graph: what a class graph has to beat; and how rows classify."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import ConfigError


def class_scores(features: Tensor, rows: Tensor) -> Tensor:
    """ŵ_c · [f ; 1] of features [n, D] and rows with the bias last [M, C, D + 1] -> [M, n, C].

    >>> class_scores(torch.tensor([[1.0, 2.0]]), torch.tensor([[[3.0, 4.0, 5.0]]]))
    tensor([[[16.]]])
    """
    return features @ rows[..., :-1].transpose(1, 2) + rows[..., -1].unsqueeze(1)


def conse(probabilities: Tensor, seen: Tensor, unseen: Tensor, top: int = 10) -> Tensor:
    """Cosine of each unseen class with the mean word vector of the `top` likeliest seen classes, by their probability.

    Norouzi et al.: Zero-Shot Learning by Convex Combination of Semantic Embeddings, ICLR 2014.

    Shapes: probabilities [.., n, S], vectors seen [S, d] and unseen [U, d] -> scores [.., n, U].

    Raises:
        ConfigError: top is not from 1 to S.

    >>> vectors, others = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 1.0]])
    >>> conse(torch.tensor([[2 / 3, 1 / 3]]), vectors, others, top=2).round(decimals=4)
    tensor([[1.]])
    """
    if not 1 <= top <= probabilities.shape[-1]:
        raise ConfigError(f"top={top} in conse: pass a number from 1 to {probabilities.shape[-1]}, the seen classes")
    likely, which = probabilities.topk(top, dim=-1)
    # Few numbers in a row of zeros: one product instead of [.., n, top, d].
    weights = torch.zeros_like(probabilities).scatter_(-1, which, likely / likely.sum(-1, keepdim=True))
    return F.normalize(weights @ seen, dim=-1) @ F.normalize(unseen, dim=-1).T


def ridge_rows(seen: Tensor, rows: Tensor, unseen: Tensor, penalty: float) -> Tensor:
    """X_u (X_sᵀ X_s + λ I)⁻¹ X_sᵀ W_s: rows of unseen classes by ridge regression from their word vectors.

    Shapes: vectors seen [S, d] and unseen [U, d], rows [.., S, D] -> [.., U, D].

    Raises:
        ConfigError: a penalty that is not above 0.

    >>> ridge_rows(torch.eye(2), torch.eye(2), torch.tensor([[2.0, 0.0]]), 1.0)
    tensor([[1., 0.]])
    """
    if not penalty > 0:
        raise ConfigError(f"penalty={penalty} in ridge_rows: pass a number above 0")
    square = seen.T @ seen + penalty * torch.eye(seen.shape[1], dtype=seen.dtype, device=seen.device)
    return unseen @ torch.linalg.solve(square, seen.T @ rows)
