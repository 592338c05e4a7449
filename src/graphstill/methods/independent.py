"""The independent group: peers that never speak. The control of every online method."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.method import Method, Needs, Step, View, register


@register("independent")
@dataclass(frozen=True)
class Independent(Method):
    """Supervised training alone, L = CE(z, y): the same weights, noise and protocol as the method it is compared with.

    With several peers it is the independent group: scored like any other group (mean member, the member that
    validation picks, ensemble), so that no gain can come from the scoring.

    >>> run = gs.distill(student, task, method=gs.Independent(), peers=4)
    """

    reference = ()  # a control, of no paper
    space = {}
    needs = Needs()

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        return {}
