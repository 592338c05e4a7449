"""Tasks made from a task, for studies of changing graphs and of transfer: the methods of NodeTask that `changes` do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from graphstill.data import changes
from graphstill.data.sealed import SealedTest
from graphstill.data.taskdata import TaskData
from graphstill.typed import typed

if TYPE_CHECKING:
    from torch import Tensor


class Changing:
    """Each returns another task; this one stays as it is."""

    data: TaskData
    test: SealedTest
    origin: Self | None

    if TYPE_CHECKING:

        @classmethod
        def _of(cls, data: TaskData, test: Tensor | SealedTest, origin: Self | None = None) -> Self: ...

    @typed
    def without_edges(self, share: float, seed: int = 0) -> Self:
        """A copy without a share of the edges, for studies of changing graphs; both directions of an edge go together.

        Args:
            share: of the undirected edges (a self-loop counts as one), from 0 up to but excluding 1.
            seed: of the choice; the same seed with a larger share removes a superset.

        Returns:
            A task with its own hash and its own record of test openings; its `origin` is the whole task.
        """
        return self._other(changes.without_edges(self.data, share, seed), self.origin or self)

    @typed
    def without_train_nodes(self, share: float, seed: int = 0) -> Self:
        """A copy in which a share of the training nodes has neither label nor edges; they stay as rows of x.

        Yang, Wu, Yan, Geometric Knowledge Distillation, NeurIPS 2022: its node-aware setting removes half of them.

        Args:
            share: of the training nodes, from 0 up to but excluding 1; at least one is left.
            seed: of the choice; the same seed with a larger share removes a superset.

        Returns:
            A task with its own hash and its own record of test openings; its `origin` is the whole task. Validation and
            test are the same.
        """
        return self._other(changes.without_train_nodes(self.data, share, seed), self.origin or self)

    @typed
    def with_shuffled_labels(self, seed: int = 0) -> Self:
        """A copy in which training nodes have each other's labels, and validation nodes too: nothing is left to learn.

        The control of a transfer study (Kooverjee, James, van Zyl 2022): what a network trained on it brings to another
        task comes from features, edges and class sizes, not from labels. Test labels stay as they are, so that its test
        figure means nothing.

        Returns:
            A task with its own hash and its own record of test openings, and no `origin`.
        """
        return self._other(changes.with_shuffled_labels(self.data, seed), None)

    @typed
    def with_positions(self, dimensions: int = 64, window: int = 10) -> Self:
        """A copy whose features have position columns behind them, for students that do not look at the graph.

        Tian et al., NOSMOG, ICLR 2023, section 4.1, use DeepWalk's embedding (Perozzi, Al-Rfou, Skiena, KDD 2014). Here
        it is the matrix that DeepWalk factorises (Qiu et al., NetMF, WSDM 2018, theorem 2.3, one negative sample),

            M = log max(1, vol(G) / window · Σ_{r=1..window} P^r D⁻¹),   P = D⁻¹ A,

        and the positions are U Λ², its leading eigenvectors times the squared eigenvalues: nodes are as far apart as
        their rows of M², that is near where they are seen beside the same nodes. They are scaled as a whole to the
        features' root mean squared length, after the features' own normalisation. Edges count in both directions, once,
        without self-loops; a node without edges is at 0.

        Inductive tasks: positions come from the training graph; a node that is not in it gets the mean of its
        neighbours there, or 0 where it has none.

        Args:
            dimensions: columns to add, below the number of nodes that training sees.
            window: the longest walk between nodes that count as seen together.

        Returns:
            A task with its own hash and its own record of test openings. The hash holds what positions are made from
            and
            how, not their bits: the last ones of an eigenvector depend on the machine.

        Raises:
            ConfigError: sizes out of range, a graph of more than 20,000 nodes, several graphs, or positions twice.

        Deviations from NOSMOG: the closed form instead of sampled walks and skip-grams; the window (10, there 5) and
        the scale. NetMF takes U √|Λ|, which gives small eigenvalues more weight: an MLP on 64 positions alone did
        better with U Λ² on the validation nodes of Cora and CiteSeer, by which it was chosen.
        """
        return self._other(changes.with_positions(self.data, dimensions, window), self.origin)

    def with_walks(self, roots: int, length: int = 2) -> Self:
        """A copy that is trained on subgraphs drawn anew in each epoch: memory grows with them, not with the graph.

        A batch holds the nodes that `roots` random walks of `length` steps meet, against the direction of the edges,
        and all edges between these nodes; what a method compares it compares within a batch. Validation and test are on
        the whole graph, which takes the memory of a forward pass.

        Zeng et al.: GraphSAINT: Graph Sampling Based Inductive Learning Method, ICLR 2020, its random-walk sampler.
        Deviations: nodes and edges that are met more often than others are not weighted down for it; roots are drawn
        without replacement, which meets every node in each epoch.

        Returns:
            A task of the same data, with the same hash and the same record of test openings: a teacher of either
            teaches both.

        Raises:
            ConfigError: numbers out of their range, data of several graphs (see `batch_graphs`), or more batches than
                training nodes.
        """
        origin = None if self.origin is None else self.origin.with_walks(roots, length)
        return self._of(changes.with_walks(self.data, roots, length), self.test, origin)

    def _other(self, data: TaskData, origin: Self | None) -> Self:
        """A task of other data, with its own hash and its own record of test openings."""
        if data.y is not self.data.y:
            data = data.changed({"labels": self.test.labels_digest(data.y[data.train], data.y[data.val])})
        return self._of(data, self.test.fresh(), origin)
