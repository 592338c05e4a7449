"""The cohort: members of one architecture that train side by side, and what every kind of cohort can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from graphstill.errors import CheckpointError, ConfigError
from graphstill.nn.output import Output
from graphstill.ops import Adjacency, Noise, SparseFeatures


class Specification(Protocol):
    """What a cohort knows of the :class:`~graphstill.nn.model.Model` that built it."""

    name: ClassVar[str]

    def options(self) -> dict[str, Any]: ...

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> Cohort: ...


class Cohort(nn.Module, ABC):
    """M members of one specification, each with its own weights.

    Attributes:
        spec: what the members are; inputs, outputs: its widths.
        seeds: one a member; members: how many there are.
        stacked: True where every parameter and buffer carries the member axis in front, as the model zoo's do; False
            where each member is a module of its own (:class:`~graphstill.nn.foreign.ForeignCohort`).
        graphless: True where a node's outputs depend on its own features only, so that any rows can be run alone.
        deterministic: True switches dropout and DropEdge off in training as well.
    """

    stacked: ClassVar[bool]
    graphless: ClassVar[bool] = False

    def __init__(self, spec: Specification, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__()
        self.spec, self.inputs, self.outputs = spec, inputs, outputs
        self.seeds = tuple(int(seed) for seed in seeds)
        self.deterministic = False

    @property
    def members(self) -> int:
        return len(self.seeds)

    @property
    def noiseless(self) -> bool:
        """Whether a training pass surely computes what an evaluation pass does. Not known of a foreign module."""
        return False

    @abstractmethod
    def forward(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None = None) -> Output:
        """Logits and hidden features of every node for every member.

        Training or evaluation is decided by ``noise``, not by ``train()``: None is evaluation, without dropout and with
        running statistics.

        Shapes:
            x: sparse ``[nodes, inputs]``, dense ``[nodes, inputs]`` shared by the members, or ``[members, nodes,
                inputs]``.

        Raises:
            DataError: features of the wrong shape or precision for this cohort or this graph.
        """

    @abstractmethod
    def member(self, i: int) -> nn.Module:
        """Member ``i`` as a module of its own: ``forward(x, edge_index) -> logits [nodes, outputs]``, in evaluation
        mode, with copies of the weights, independent of this cohort.
        """

    @abstractmethod
    def member_parameters(self, i: int) -> list[Tensor]:
        """Member ``i``'s trainable weights: where ``stacked``, views into the cohort's parameters."""

    @abstractmethod
    def member_state(self, i: int) -> dict[str, Tensor]:
        """A detached copy of member ``i``'s parameters and buffers by name, without a member axis."""

    @abstractmethod
    def load_member_state(self, i: int, state: Mapping[str, Tensor]) -> None:
        """Give member ``i`` the weights that :meth:`member_state` returned.

        Raises:
            CheckpointError: names or shapes that are not this architecture's.
        """

    @abstractmethod
    def select(self, members: Sequence[int]) -> Cohort:
        """A copy with these members only, in this order."""

    @abstractmethod
    def to_pyg(self, i: int) -> nn.Module:
        """Member ``i`` in standard PyG layers, ``forward(x, edge_index)``: same weights, same outputs."""

    def largest_buffer(self, graph: Adjacency) -> int:
        """About how many bytes the largest array of a pass on ``graph`` takes; 0 where it is not known."""
        return 0

    def smooth(self, width: float) -> None:
        """Set the width of the low-pass filter on the hidden features, in pixels or hops.

        Raises:
            ConfigError: the network has no such filter.
        """
        raise ConfigError(
            f"the features of {self.spec} cannot be smoothed (width {width:g} was asked for): "
            "leave the method 'smoothing' out, or train a network of images, a GCN, GraphSAGE, GAT or GIN"
        )

    def refuse_filter(self, i: int) -> None:
        """Raises ConfigError where member ``i``'s low-pass filter is still on, which nothing that is exported has."""

    def extra_repr(self) -> str:
        return f"{self.spec}, members={self.members}, inputs={self.inputs}, outputs={self.outputs}"

    def _rate(self, p: float) -> float:
        return 0.0 if self.deterministic else p

    def _index(self, i: int) -> int:
        if not -self.members <= i < self.members:
            raise ConfigError(
                f"there is no member {i} in a cohort of {self.members} {self.spec}: "
                f"give a number from 0 to {self.members - 1}"
            )
        return i % self.members


def check_state(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], where: str) -> None:
    """That ``found`` has the names and shapes of ``wanted``."""
    odd = sorted(found.keys() ^ wanted.keys())
    if odd:
        kind = "is missing" if odd[0] in wanted else "is unknown"
        raise CheckpointError(
            f"weight {odd[0]!r} {kind}, in the state for {where}: load weights of the same architecture"
        )
    for name, tensor in wanted.items():
        if found[name].shape != tensor.shape:
            raise CheckpointError(
                f"weight {name!r} has shape {list(found[name].shape)} instead of {list(tensor.shape)}, "
                f"in the state for {where}: load weights of the same architecture and widths"
            )


def first_parameter(module: nn.Module) -> Tensor:
    """Any parameter: for the dtype, the device, and (stacked) how many members run in this pass."""
    return next(module.parameters())


def snapshot(tensor: Tensor) -> Tensor:
    """A detached copy."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)
