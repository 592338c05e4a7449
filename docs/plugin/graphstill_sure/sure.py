"""Imitate the teacher where it is sure."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.losses import entropy, softmax_kl
from graphstill.method import Method, Needs, Step, View


@dataclass(frozen=True)
class Sure(Method):
    """Soft targets at the nodes where the teacher's output has little entropy.

    Of each batch the share of nodes with the lowest entropy counts, the others do not:

        L = CE(z^s, y) + KL(softmax(z^t) ‖ softmax(z^s)), mean over the chosen nodes

    Args:
        keep: share of the nodes, above 0 and at most 1.

    Shapes: logits [M, N, C]; one term `sure` of [M].
    """

    needs = Needs(teacher=True)
    space = {"keep": (0.25, 0.5, 0.75), "weight": (0.5, 1.0, 2.0)}

    keep: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1:
            raise ConfigError(f"keep={self.keep} in Sure: give a share of the nodes, above 0 and at most 1")

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        assert t is not None  # `needs` says so
        count = max(1, round(self.keep * s.logits.shape[1]))
        nodes = entropy(t.logits).topk(count, largest=False).indices  # [M or 1, count]
        index = nodes.unsqueeze(-1).expand(-1, -1, s.logits.shape[-1])
        student = s.logits.gather(1, index.expand(len(s.logits), -1, -1))
        return {"sure": softmax_kl(t.logits.gather(1, index), student)}
