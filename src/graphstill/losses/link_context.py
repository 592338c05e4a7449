"""Links of a node compared with each other: what a student without a graph learns from a teacher of links.

Guo et al.: Linkless Link Prediction via Relational Distillation, ICML 2023, sections 4.1 and 4.2. Scores are the
predictor's logits z of pairs (anchor, context node); contexts come from `ops.link_contexts`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from graphstill.errors import ConfigError

#: The score of a context that does not count: its share of a softmax is 0, and it is a finite number.
LOW = -1e30


def context_kl(
    target: Tensor,
    student: Tensor,
    temperature: float = 1.0,
    kept: Tensor | None = None,
    released: bool = False,
) -> Tensor:
    """T² · KL between softmax over an anchor's contexts of the scores / T, mean over anchors that have a context.

    Deviation: on logits. The released code takes a softmax of probabilities σ(z), which lie in [0, 1], so that the
    target is nearly uniform; `released` does so.

    Shapes: logits [M or 1, V, m] and [M, V, m], kept bool [V, m] (all by default) -> [M].

    >>> t, s = torch.tensor([[[3.0, 1.0, -1.0, -2.0]]]), torch.tensor([[[1.0, 2.0, 0.0, -1.0]]])
    >>> [round(context_kl(t, s, released=r).item(), 6) for r in (False, True)]
    [0.876775, 0.017835]
    """
    if released:
        target, student = target.sigmoid(), student.sigmoid()
    if kept is not None:
        target, student = (z.masked_fill(~kept, LOW) for z in (target, student))
    log_q, log_p = ((z / temperature).log_softmax(-1) for z in (target, student))
    each = (log_q.exp() * (log_q - log_p)).sum(-1) * temperature**2
    if kept is None:
        return each.mean(-1)
    some = kept.any(-1)
    return (each * some).sum(-1) / some.sum().clamp(min=1)


def context_rank(
    target: Tensor,
    student: Tensor,
    margin: float,
    pairs: Tensor | None = None,
    kept: Tensor | None = None,
    released: bool = False,
) -> Tensor:
    """max(0, −r (p^s_c − p^s_c') + δ) where the teacher tells two contexts apart, mean over those pairs of contexts.

    p = σ(z); r is the sign of p^t_c − p^t_c' where that is beyond δ, the margin. Deviation: pairs with r = 0, to which
    the released code gives the constant δ, do not count; `released` counts them.

    Args:
        target, student: logits [M or 1, V, m] and [M, V, m].
        pairs: int64 [2, P] of columns that are compared, of all anchors (`context_pairs`); all by default.
        kept: bool [V, m], the contexts that count; all by default.

    Returns:
        [M]; 0 where the teacher tells no two apart. Memory O(M · V · P).

    >>> t, s = torch.tensor([[[3.0, 1.0, -1.0, -2.0]]]), torch.tensor([[[1.0, 2.0, 0.0, -1.0]]])
    >>> [round(context_rank(t, s, 0.2, released=r).item(), 6) for r in (False, True)]
    [0.069948, 0.091623]
    """
    contexts = target.shape[-1]
    first, second = torch.triu_indices(contexts, contexts, 1, device=target.device) if pairs is None else pairs

    def differences(z: Tensor) -> Tensor:
        p = z.sigmoid()
        return p.index_select(-1, first) - p.index_select(-1, second)

    gap, own = differences(target), differences(student)
    apart = gap.abs() > margin
    loss = (margin - gap.sign() * apart * own).relu()
    counted = torch.ones_like(apart) if released else apart
    if kept is not None:
        counted = counted & kept.index_select(-1, first) & kept.index_select(-1, second)
    return (loss * counted).sum((1, 2)) / counted.sum((1, 2)).clamp(min=1)


def context_pairs(contexts: int, at_most: int, generator: torch.Generator) -> Tensor:
    """Pairs of columns c < c' of `contexts`, all of them or `at_most` drawn without replacement: int64 [2, P].

    Raises:
        ConfigError: fewer than two contexts, or less than one pair.

    >>> context_pairs(3, 10, torch.Generator()).tolist()
    [[0, 0, 1], [1, 2, 2]]
    """
    if contexts < 2 or at_most < 1:
        raise ConfigError(
            f"{at_most} pairs of {contexts} contexts. Where: context_pairs. Pass at least two contexts and one pair."
        )
    every = torch.triu_indices(contexts, contexts, 1, device=generator.device)
    if every.shape[1] <= at_most:
        return every
    chosen = torch.randperm(every.shape[1], generator=generator, device=generator.device)[:at_most]
    return every[:, chosen]
