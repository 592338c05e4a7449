"""What a forward pass returns: logits, and the hidden features that methods compare."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Hidden:
    """Features of one hidden layer, at three places.

    Shapes:
        pre, post, dropped: ``[members, nodes, width]``. ``pre`` enters the activation, ``post`` leaves it,
        ``dropped`` has passed dropout as well and is what the next layer reads. In evaluation ``dropped`` *is*
        ``post``, and where a place is unknown (modules that are not ours) all three are the same tensor: they are
        references, never copies.
    """

    pre: Tensor
    post: Tensor
    dropped: Tensor


@dataclass(frozen=True)
class Output:
    """Logits of every node, and the hidden layers from first to last, the output layer excluded.

    Shapes:
        logits: ``[members, nodes, outputs]``, before any softmax or sigmoid.
        heads: ``[members, heads, nodes, outputs]``: logits of each classifier, where the network has several and
            ``logits`` is their mean; else None.
    """

    logits: Tensor
    hidden: tuple[Hidden, ...] = ()
    heads: Tensor | None = None
