"""One training step as the terms of a loss see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.data.batches import Batch
from graphstill.errors import MethodError
from graphstill.method.items import by_graph
from graphstill.method.spec import Parts
from graphstill.method.view import Peers
from graphstill.nn.output import Output

Nodes = Literal["train", "all"]


@dataclass(frozen=True)
class Position:
    """Where training stands.

    Attributes:
        epoch: from 0.
        progress: share of the distillation phase that is over, in [0, 1).
        number: training steps before this one; with a member's seed it determines what is drawn at random.
    """

    epoch: int
    progress: float
    number: int = 0


@dataclass(frozen=True)
class Step:
    """One training step as a term sees it: where training stands, the batch, and the term's own parts.

    Attributes:
        at: where training stands.
        batch: features, graph, labels, and which rows carry a training label.
        parts: what the method's `build` returned.
        group: the members as peers, detached.
        learning: the members that learn in this step, where peers take turns: int64 indices. None: all of them.
        again: what `forward` calls; None where the students are several networks or take turns.
    """

    at: Position
    batch: Batch
    parts: Parts
    group: Peers | None = None
    learning: Tensor | None = None
    again: Callable[[Tensor, Tensor], Output] | None = None

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
        """The rows of x that a term is computed on: labelled training items, or all items of the batch.

        Args:
            x: [M, items, ...]. Where items are graphs also hidden features [M, nodes, D]: a graph is then represented
                by the mean of its nodes, whatever the network's own readout (no graph is empty).
        """
        if self.batch.graphs is not None:
            x = by_graph(x, self.batch.graph)
        return x if nodes == "all" else x.index_select(1, self.batch.train_rows)
