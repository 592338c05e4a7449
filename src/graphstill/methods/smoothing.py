"""Curriculum by smoothing: features are blurred at first, ever less as training goes on."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphstill.method import Method, Reference, Step, View, register
from graphstill.method.checks import positive, share
from graphstill.method.sampling import counts


@register("smoothing")
@dataclass(frozen=True)
class Smoothing(Method):
    """The outputs of convolutions pass a low-pass filter whose width falls: a curriculum, no term.

    Sinha, Garg, Larochelle: Curriculum by Smoothing, NeurIPS 2020, section 3. In epoch e, counted from 0,

        σ(e) = sigma · factor^⌊e / every⌋,   L = 0

    The filter stands after every 3 x 3 convolution, before batch normalisation. It has no weights, needs no teacher and
    adds up with any method: ``KD() + Smoothing()``. A weight in front of it changes nothing. On graphs, our extension,
    hidden features of GCN, GraphSAGE, GAT and GIN are mixed with their neighbours' before each activation:
    H ← e^(−σ²/2) H + (1 − e^(−σ²/2)) · mean of H over a node and its sources.

    Args:
        sigma: width of the filter in the first epochs, in pixels or hops.
        factor: what it is multiplied by, in [0, 1]; 1 never anneals, 0 stops after `every` epochs.
        every: epochs between two changes.

    Shapes: none. The network keeps the filter of the epoch that is selected, also at test time.

    Deviations: where the kernel's centre holds all but 1e-6 of its weight, the filter is left out. The kernel is 3 x 3.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + gs.Smoothing())
    """

    reference = (
        Reference(
            ("Sinha", "Garg", "Larochelle"),
            "Curriculum by Smoothing",
            "NeurIPS",
            2020,
            link="https://arxiv.org/abs/2003.01367",
            code="pairlab/CBS",
            commit="5f62e7d",
        ),
    )
    space = {"sigma": (0.5, 1.0, 2.0), "every": (1, 5)}

    sigma: float = 1.0
    factor: float = 0.9
    every: int = 5

    def __post_init__(self) -> None:
        positive(self, sigma=self.sigma)
        share(self, factor=self.factor)
        counts(self, every=self.every)

    def smoothing(self, epoch: int) -> float | None:
        """Width of the students' filter in an epoch, in pixels or hops."""
        return self.sigma * self.factor ** (epoch // self.every)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        return {}
