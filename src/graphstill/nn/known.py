"""Networks that belong to one graph: weights for each node, and the labels of its training nodes as an input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.nn.known_labels import KnownLabels
from graphstill.nn.layers import initialise
from graphstill.nn.model import Model
from graphstill.nn.stacked import StackedCohort
from graphstill.ops import Adjacency, Noise, SparseFeatures


class TransductiveModel(Model):
    """A model whose cohorts belong to one graph. It is built with ``known``, and defines :meth:`allocate_on`.

    Labels that are an input are no targets: such a network fits them before its first step. The engine hands out those
    of training nodes only, and refuses to train on them.
    """

    @abstractmethod
    def allocate_on(self, num_nodes: int, inputs: int, outputs: int, seeds: Sequence[int]) -> TransductiveCohort:
        """A cohort for a graph of this size, its weights and known labels not set yet."""

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> TransductiveCohort:
        raise self._missing()

    def build(
        self, inputs: int, outputs: int, seeds: Sequence[int], known: KnownLabels | None = None
    ) -> TransductiveCohort:
        self.check_build(inputs, outputs, seeds)
        if known is None:
            raise self._missing()
        if known.num_nodes and int(known.labels.max()) >= outputs:
            raise ConfigError(
                f"a known label is {int(known.labels.max())}, in {type(self).__name__}.build with outputs={outputs}: "
                "give labels from 0 to outputs - 1, and -1 where none is known"
            )
        cohort = self.allocate_on(known.num_nodes, inputs, outputs, seeds)
        initialise(cohort, cohort.seeds)
        cohort.labels.copy_(known.labels)
        return cohort

    def parameters_count(self, inputs: int, outputs: int, known: KnownLabels | None = None) -> int:
        """As for any model; the number depends on how many nodes there are."""
        self.check_build(inputs, outputs, [0])
        if known is None:
            raise self._missing()
        with torch.device("meta"):
            cohort = self.allocate_on(known.num_nodes, inputs, outputs, [0])
        return sum(p.numel() for p in cohort.parameters() if p.requires_grad)

    def _missing(self) -> ConfigError:
        return ConfigError(
            f"{type(self).__name__} has weights for each node of one graph and the labels of its training nodes as an "
            "input, and neither is given: build it with known=KnownLabels.of(num_nodes, nodes, labels)"
        )


class TransductiveCohort(StackedCohort):
    """Members of a :class:`TransductiveModel`.

    Shapes:
        labels: int64 ``[members, nodes]``, -1 where not known: a buffer, saved and loaded with the weights.
    """

    spec: TransductiveModel

    def __init__(
        self, spec: TransductiveModel, inputs: int, outputs: int, seeds: Sequence[int], num_nodes: int
    ) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.num_nodes = num_nodes
        self.labels: Tensor
        self.register_buffer("labels", torch.full((self.members, num_nodes), -1))

    def _empty(self, seeds: Sequence[int]) -> TransductiveCohort:
        return self.spec.allocate_on(self.num_nodes, self.inputs, self.outputs, seeds)

    def _check(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None, weight: Tensor) -> None:
        super()._check(x, graph, noise, weight)
        if graph.num_nodes != self.num_nodes:
            raise DataError(
                f"a graph of {graph.num_nodes} nodes, for {self.spec} that was built for one of {self.num_nodes}: it "
                "has weights for each node, so give the graph it was trained on, or use an inductive network"
            )
