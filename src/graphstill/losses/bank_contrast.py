"""InfoNCE against a whole memory bank, a block of its rows at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

#: Scores that are made at a time: 1 MB in float32, which stays in a core's cache; more on a GPU, which wants few calls.
BLOCK = 2**18
GPU_BLOCK = 2**24
#: Anchors at a time, so that such a block has rows enough for a fast product.
ANCHORS = 512
#: What is added to the score of a row that is no negative: a finite number, so that a block may hold no other.
MASK = -1e30


def bank_contrast(
    anchor: Tensor, positive: Tensor, bank: Tensor, classes: Tensor, bank_classes: Tensor, temperature: float
) -> Tensor:
    """−log [ exp(a·p / τ) / (exp(a·p / τ) + Σ_j exp(a·m_j / τ)) ], mean over samples; j: rows of any other class.

    Exact over all rows of the bank: neither an array [samples, rows, width] nor one [samples, rows] is made. The
    gradient, Σ_j softmax_j m_j − p, comes out of the same pass, so that value and gradient together take two products
    of all anchors with the bank. It reaches the anchors only.

    Shapes:
        anchor, positive: [V, M, B, W], V kinds of anchors of the same B samples; bank: [M, n, W].
        classes: integers [M, B]; bank_classes: integers [M, n], below 0 in rows that are nobody's negative.
        returns: [V, M]. It is log(K + 1) where all K + 1 scores are equal.

    >>> a, bank, of = torch.zeros(1, 1, 1, 2), torch.zeros(1, 3, 2), torch.tensor([[1, 1, 2]])
    >>> bank_contrast(a, a, bank, torch.tensor([[0]]), of, 0.1)  # log 4: one positive, three negatives
    tensor([[1.3863]])
    """
    each: Tensor = _BankContrast.apply(anchor, positive, bank, classes, bank_classes, temperature)
    return each.mean(-1)


class _BankContrast(torch.autograd.Function):
    """The loss of each anchor, [V, M, B]."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        anchor, positive, bank, classes, bank_classes, temperature = inputs
        # Compared as numbers of the scores' type, into numbers: ten times as fast as through booleans.
        classes, bank_classes = classes.to(bank.dtype), bank_classes.to(bank.dtype)
        loss, slope = torch.empty_like(anchor[..., 0]), torch.empty_like(anchor)
        step = max(1, ANCHORS // len(anchor))
        for m in range(len(bank)):
            for begin in range(0, anchor.shape[2], step):
                some = slice(begin, begin + step)
                a, p, c = anchor[:, m, some], positive[:, m, some], classes[m, some]
                loss[:, m, some], mean = _against(
                    a / temperature, p, bank[m], c, bank_classes[m], ctx.needs_input_grad[0]
                )
                slope[:, m, some] = (mean - p) / temperature
        ctx.save_for_backward(slope)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (slope,) = ctx.saved_tensors
        return grads[0].unsqueeze(-1) * slope, None, None, None, None, None


def _against(
    anchor: Tensor, positive: Tensor, bank: Tensor, classes: Tensor, bank_classes: Tensor, with_mean: bool
) -> tuple[Tensor, Tensor]:
    """Some anchors [V, B, W] against a member's bank: loss [V, B] and mean row under the softmax [V, B, W]."""
    a, p = anchor.flatten(0, 1), positive.flatten(0, 1)
    own = (a * p).sum(-1)
    step = max(1, (GPU_BLOCK if bank.is_cuda else BLOCK) // len(a))
    # Of what was seen so far, the positive first: log Σ exp(score), and the mean row.
    log_sum, mean = own, p
    for rows, known in zip(bank.split(step), bank_classes.split(step), strict=True):
        if not (known >= 0).any():
            continue
        scores = a @ rows.T
        out = torch.eq(known, classes[:, None], out=scores.new_empty(len(classes), len(known))).add_(known < 0)
        scores.view(-1, *out.shape).add_(out, alpha=MASK)
        share = scores.softmax(-1)
        # exp(largest score) / Σ exp(score) is the largest share.
        new = scores.amax(-1) - share.amax(-1).log()
        both = torch.logaddexp(log_sum, new)
        if with_mean:
            mean = (log_sum - both).exp_()[:, None] * mean + (new - both).exp_()[:, None] * (share @ rows)
        log_sum = both
    return (log_sum - own).view_as(anchor[..., 0]), mean.view_as(anchor)
