"""The model zoo's cohorts: every parameter and every buffer has the member axis in front."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.nn.cohort import Cohort, Specification, check_state, first_parameter, snapshot
from graphstill.nn.execution import EXECUTIONS, looped, loops
from graphstill.nn.layers import Features, Step
from graphstill.nn.member import Member
from graphstill.nn.output import Output
from graphstill.ops import Adjacency, Noise, SparseFeatures, spmm


class StackedCohort(Cohort):
    """Base of the zoo: a network writes :meth:`network` and :meth:`to_pyg`, everything else is here.

    Attributes:
        execution: ``"stacked"`` runs all members at once, ``"looped"`` one after another, ``"auto"`` picks by size and
            device. Results agree.
    """

    stacked: ClassVar[bool] = True
    #: Whether `network` passes its layers through `smoothed`.
    smooths: ClassVar[bool] = False
    smoothing: Tensor

    def __init__(self, spec: Specification, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self._execution = "auto"

    @property
    def execution(self) -> str:
        return self._execution

    @execution.setter
    def execution(self, value: str) -> None:
        if value not in EXECUTIONS:
            raise ConfigError(f"execution={value!r} of {self.spec}: give one of {', '.join(EXECUTIONS)}")
        self._execution = value

    @cached_property
    def widest(self) -> int:
        """The width of the widest product in the network."""
        return max(parameter.size(-1) for parameter in self.parameters())

    def largest_buffer(self, graph: Adjacency) -> int:
        numbers = graph.num_nodes * self.widest * (1 if self.loops(graph) else self.members)
        return numbers * first_parameter(self).element_size()

    def loops(self, graph: Adjacency) -> bool:
        """Whether a pass on this graph goes member by member."""
        return loops(self.execution, graph, self.widest, len(first_parameter(self)))

    @property
    def noiseless(self) -> bool:
        options = self.spec.options()
        if options.get("batch_norm", False):
            return False
        return self.deterministic or not any(
            options.get(key, 0.0) for key in ("dropout", "attention_dropout", "drop_edge")
        )

    @abstractmethod
    def network(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None) -> Output:
        """The forward pass on checked input.

        How many members run is the size of the parameters, not ``self.members``: one where they are looped over.
        """

    def forward(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None = None) -> Output:
        weight = first_parameter(self)
        self._check(x, graph, noise, weight)
        if len(weight) > 1 and self.loops(graph):
            return looped(self, x, graph, noise)
        return self.network(x, graph, noise)

    def smooth(self, width: float) -> None:
        """Set the width σ of the low-pass filter on the hidden features, in hops; see :meth:`smoothed`."""
        if not self.smooths:
            super().smooth(width)
        if "smoothing" not in self._buffers:
            self.register_buffer("smoothing", first_parameter(self).new_zeros(self.members))
        self.smoothing.fill_(width)

    @property
    def filtered(self) -> bool:
        """Whether there is such a filter, on or not."""
        return "smoothing" in self._buffers

    def smoothed(self, steps: Sequence[Step], graph: Adjacency) -> Sequence[Step]:
        """The layers, all but the last followed by the low-pass filter, where one is on.

        H ← (1 − α) H + α · mean over a node and its sources, α = 1 − exp(−σ² / 2): what heat does in the time σ² / 2,
        in one hop. It leaves a constant as it is.
        """
        if "smoothing" not in self._buffers or not blurs_features(self.smoothing):
            return steps
        share = -torch.expm1(-self.smoothing.square() / 2)[:, None, None]
        around = graph.with_self_loops()

        def then_filtered(step: Step) -> Step:
            def run(x: Features, *, noise: Noise | None, p: float) -> Tensor:
                h = step(x, noise=noise, p=p)
                return torch.lerp(h, spmm(around, around.mean_weights(h.dtype), h), share.to(h.dtype))

            return run

        return [*(then_filtered(step) for step in steps[:-1]), steps[-1]]

    def member(self, i: int) -> Member:
        return Member(self.select([i]))

    def member_parameters(self, i: int) -> list[Tensor]:
        i = self._index(i)
        return [parameter[i] for parameter in self.parameters() if parameter.requires_grad]

    def member_state(self, i: int) -> dict[str, Tensor]:
        i = self._index(i)
        return {name: snapshot(tensor[i]) for name, tensor in self.state_dict().items()}

    def load_member_state(self, i: int, state: Mapping[str, Tensor]) -> None:
        i = self._index(i)
        own = {name: tensor[i] for name, tensor in self.state_dict().items()}
        check_state(state, own, f"member {i} of {self.spec}")
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def select(self, members: Sequence[int]) -> StackedCohort:
        chosen = [self._index(i) for i in members]
        if not chosen:
            raise ConfigError(
                f"no member selected, of a cohort of {self.members} {self.spec}: give at least one number"
            )
        with torch.device("meta"):
            copy = self._empty([self.seeds[i] for i in chosen])
            if self.filtered:
                copy.smooth(0.0)
        copy.load_state_dict(
            {name: snapshot(tensor[chosen]) for name, tensor in self.state_dict().items()}, assign=True
        )
        for own, other in zip(self.parameters(), copy.parameters(), strict=True):
            other.requires_grad_(own.requires_grad)
        copy.deterministic = self.deterministic
        assert isinstance(copy, StackedCohort)
        copy.execution = self.execution
        return copy.train(self.training)

    def _empty(self, seeds: Sequence[int]) -> Cohort:
        """A cohort like this one with other members, its weights not set."""
        return self.spec.allocate(self.inputs, self.outputs, seeds)

    def refuse_filter(self, i: int) -> None:
        """Raises ConfigError where member ``i``'s filter is still on: no standard layer has one."""
        if "smoothing" in self._buffers and blurs_features(self.smoothing[i : i + 1]):
            raise ConfigError(
                f"member {i} of {self.spec} was selected while its features were smoothed (width "
                f"{float(self.smoothing[i]):.3g}), which no standard layer does: let the curriculum end earlier, or "
                "set training.select_after"
            )

    def _check(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None, weight: Tensor) -> None:
        shape, members = tuple(x.shape), len(weight)
        if shape[-2:] != (graph.num_nodes, self.inputs) or shape[:-2] not in ((), (members,)):
            raise DataError(
                f"features of shape {list(shape)} for {self.spec}: give [{graph.num_nodes}, {self.inputs}] "
                f"(nodes, features) or [{members}, {graph.num_nodes}, {self.inputs}] (members, nodes, features)"
            )
        if x.dtype != weight.dtype:
            raise DataError(
                f"features are {x.dtype}, the weights of {self.spec} are {weight.dtype}: convert one of them"
            )
        if noise is not None and noise.members != members:
            raise ConfigError(
                f"noise for {noise.members} members given to {members} of {self.spec}: make it from the cohort's seeds"
            )


def blurs_features(width: Tensor) -> bool:
    """Whether the filter is on for any member: a share of the neighbours of a millionth is none."""
    return bool((width.square() / 2 > 1e-6).any())
