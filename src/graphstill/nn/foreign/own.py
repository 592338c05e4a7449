"""Models by name whose members are any torch modules: for packages that bring a network of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from torch import nn

from graphstill.nn.foreign.cohort import ForeignCohort
from graphstill.nn.foreign.model import ForeignModel
from graphstill.nn.known_labels import KnownLabels
from graphstill.nn.model import Model


class OwnModel(Model):
    """A frozen dataclass of options that makes a torch module; recipes name it as ``package.module:Name``.

    What the module takes and returns, and what ``taps`` are, is said at :func:`graphstill.models.foreign`, which is the
    same for a network that no recipe names.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class TwoLayers(OwnModel):
    ...     hidden: int = 16
    ...     taps = ("0",)
    ...     def network(self, inputs: int, outputs: int) -> nn.Module:
    ...         return nn.Sequential(nn.Linear(inputs, self.hidden), nn.ReLU(), nn.Linear(self.hidden, outputs))
    >>> TwoLayers(hidden=8).parameters_count(5, 3)
    75
    """

    #: Submodules whose outputs are the hidden features, in order.
    taps: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def network(self, inputs: int, outputs: int) -> nn.Module:
        """A new module for features of this width; called once a member, torch's random numbers seeded by its seed."""

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> ForeignCohort:
        return self._foreign(inputs, outputs).allocate(inputs, outputs, seeds)

    def parameters_count(self, inputs: int, outputs: int, known: KnownLabels | None = None) -> int:
        """As for any model, but one network is made."""
        return self._foreign(inputs, outputs).parameters_count(inputs, outputs, known)

    def _foreign(self, inputs: int, outputs: int) -> ForeignModel:
        return ForeignModel(partial(self.network, inputs, outputs), tuple(self.taps))
