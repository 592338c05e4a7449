"""Where training stands when a term is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.errors import MethodError
from graphstill.method.spec import Parts
from graphstill.method.view import Peers
from graphstill.nn.output import Output
from graphstill.ops import SparseFeatures

Nodes = Literal["train", "all"]


@dataclass
class Step:
    """Where training stands, and which rows of the batch carry a training label."""

    epoch: int
    progress: float
    train_rows: Tensor
    y: Tensor
    multi_label: bool
    parts: Parts
    group: Peers | None = None
    #: The members that learn in this step, where peers take turns: int64 indices. None: all of them.
    learning: Tensor | None = None
    #: Training steps before this one: with a member's seed it determines what is drawn at random.
    number: int = 0
    #: Features of the batch, [N, F].
    x: SparseFeatures | Tensor | None = None
    #: What `forward` calls: None where the students are several networks or take turns.
    again: Callable[[Tensor, Tensor], Output] | None = None

    @property
    def features(self) -> SparseFeatures | Tensor:
        """Features of the batch, [N, F]."""
        assert self.x is not None
        return self.x

    def forward(self, x: Tensor, rows: Tensor) -> Output:
        """The students' outputs [M, n, C] once more, on other features of some rows; attached, with the step's noise.

        Args:
            x: [M, n, F]; rows: int64 [M, n], which rows of the batch they are, none twice. A network that looks at the
                graph sees the batch's own features at all others, and returns no hidden layers.

        Raises:
            MethodError: the students are not one cohort that steps together.
        """
        if self.again is None:
            raise MethodError(
                "a method runs the students on features of its own, for which they must be one cohort, but here they "
                "take turns or differ in architecture: use one model, and updates 'simultaneous'"
            )
        return self.again(x, rows)

    def rows(self, x: Tensor, nodes: Nodes) -> Tensor:
        """The rows of x [M, N, ...] that a term is computed on: labelled training nodes, or all nodes of the batch."""
        return x if nodes == "all" else x.index_select(1, self.train_rows)
