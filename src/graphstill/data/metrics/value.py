"""A metric as a value: its name, its function, and which way is better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """Called as its function: (logits [members, items, outputs], y [items, ...]) -> float64 [members].

    Attributes:
        name: as recipes and results have it.
        function: what computes it.
        higher_is_better: False for errors.
    """

    name: str
    function: Callable[[Tensor, Tensor], Tensor]
    higher_is_better: bool = True

    def __call__(self, logits: Tensor, y: Tensor) -> Tensor:
        return self.function(logits, y)

    def gain(self, values: Tensor) -> Tensor:
        """Values of this metric so turned that more is better: what is compared when an epoch is chosen."""
        return values if self.higher_is_better else -values
