"""Members that are modules of their own: users' networks, and those of PyG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError, DataError, nearest
from graphstill.nn.cohort import Cohort, Specification, check_state, snapshot
from graphstill.nn.foreign.calling import ByEdges, calling_convention
from graphstill.nn.foreign.copying import copied
from graphstill.nn.foreign.guard import Guards
from graphstill.nn.foreign.kept import switch_off
from graphstill.nn.inputs import as_dense, as_edge_index
from graphstill.nn.output import Hidden, Output
from graphstill.ops import Adjacency, Noise, SparseFeatures


class ForeignSpecification(Specification, Protocol):
    """What the cohort knows of the :class:`~graphstill.nn.foreign.ForeignModel` that it belongs to."""

    @property
    def taps(self) -> tuple[str, ...]: ...


class ForeignCohort(Cohort):
    """Members that are modules of their own, run one after another; what comes out is stacked.

    Parameters have no member axis here: they are those of ``networks[i]``. In training (``noise`` given) modules are in
    ``train()`` mode and draw from torch's global random numbers, seeded for each member from its own noise, so that
    runs repeat and members are independent; the state of the global generator is left as it was. ``deterministic``
    cannot look
    into a foreign module: it keeps it in evaluation mode, which also fixes running statistics.

    Shapes:
        dense features ``[members, nodes, inputs]`` give each member its own; sparse ones are made dense once and kept.
    """

    stacked: ClassVar[bool] = False
    spec: ForeignSpecification

    def __init__(
        self, spec: ForeignSpecification, inputs: int, outputs: int, seeds: Sequence[int], networks: Sequence[nn.Module]
    ) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.networks = nn.ModuleList(networks)
        for tap in spec.taps:
            names = [name for name, _ in networks[0].named_modules() if name]
            if tap not in names:
                raise ConfigError(f"unknown tap {tap!r} of {spec}: {nearest(tap, names)} (modules: {', '.join(names)})")
        self._conventions = [calling_convention(network) for network in networks]
        self._guards = Guards()

    def forward(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None = None) -> Output:
        features = as_dense(x)
        if features.shape[-2:] != (graph.num_nodes, self.inputs) or features.shape[:-2] not in ((), (self.members,)):
            raise DataError(
                f"features of shape {list(features.shape)} for {self.spec}: give [{graph.num_nodes}, {self.inputs}] "
                f"(nodes, features) or [{self.members}, {graph.num_nodes}, {self.inputs}] (members, nodes, features)"
            )
        own = features if features.dim() == 3 else [features] * self.members
        results = [self._run(i, own[i], graph, noise) for i in range(self.members)]
        layers = zip(*(taps for _, taps in results), strict=True)
        stacked = (torch.stack(layer) for layer in layers)
        return Output(torch.stack([logits for logits, _ in results]), tuple(Hidden(h, h, h) for h in stacked))

    def _run(self, i: int, x: Tensor, graph: Adjacency, noise: Noise | None) -> tuple[Tensor, list[Tensor]]:
        network, found = self.networks[i], dict[str, Tensor]()
        training = noise is not None and not self.deterministic
        if network.training != training:
            network.train(training)
        handles = [network.get_submodule(tap).register_forward_hook(_keeper(found, tap)) for tap in self.spec.taps]
        seed = None if noise is None else int(noise.member(i).uniform((), torch.float64).item() * 2**53)
        try:
            logits = self._guards.of(self.networks, self._conventions)[i].run(
                x, as_edge_index(graph), graph, training, seed
            )
        finally:
            for handle in handles:
                handle.remove()
        rows = [len(x), *([] if graph.graph_ptr is None else [graph.num_graphs])]
        self._check_rows("its output", logits, rows, self.outputs)
        for tap in self.spec.taps:
            self._check_rows(f"its tap {tap!r}", found.get(tap), rows[:1], None)
        return logits, [found[tap] for tap in self.spec.taps]

    def _check_rows(self, what: str, result: object, rows: Sequence[int], width: int | None) -> None:
        wanted = f"[{' or '.join(map(str, rows))}, {width or 'width'}]"
        if not isinstance(result, Tensor):
            raise ConfigError(f"{what} is {type(result).__name__}, in {self.spec}: it must be a tensor {wanted}")
        if result.dim() != 2 or len(result) not in rows or (width is not None and result.size(1) != width):
            raise ConfigError(f"{what} has shape {list(result.shape)}, in {self.spec}: it must be {wanted}")

    def member(self, i: int) -> nn.Module:
        """A copy of the module where it takes ``(x, edge_index)``, else of it in an adapter that does.

        It holds nothing of a graph, and PyG's own caches are off.
        """
        i = self._index(i)
        self._guards.forget()
        network, convention = copied(self.networks[i]), self._conventions[i]
        switch_off(network)
        return network.eval() if convention.by_edges else ByEdges(network, convention).eval()

    def to_pyg(self, i: int) -> nn.Module:
        """The same as :meth:`member`: the module is what it is."""
        return self.member(i)

    def member_parameters(self, i: int) -> list[Tensor]:
        return [parameter for parameter in self.networks[self._index(i)].parameters() if parameter.requires_grad]

    def member_state(self, i: int) -> dict[str, Tensor]:
        return {name: snapshot(tensor) for name, tensor in self.networks[self._index(i)].state_dict().items()}

    def load_member_state(self, i: int, state: Mapping[str, Tensor]) -> None:
        network = self.networks[self._index(i)]
        check_state(state, network.state_dict(), f"member {i} of {self.spec}")
        network.load_state_dict(dict(state))
        self._guards.loaded(self._index(i))

    def select(self, members: Sequence[int]) -> ForeignCohort:
        chosen = [self._index(i) for i in members]
        if not chosen:
            raise ConfigError(
                f"no member selected, of a cohort of {self.members} {self.spec}: give at least one number"
            )
        self._guards.forget()
        networks = [copied(self.networks[i]) for i in chosen]
        other = ForeignCohort(self.spec, self.inputs, self.outputs, [self.seeds[i] for i in chosen], networks)
        other.deterministic = self.deterministic
        return other


def _keeper(found: dict[str, Tensor], tap: str) -> Callable[..., None]:
    def keep(module: nn.Module, args: object, output: Tensor) -> None:  # noqa: ARG001 - the signature of a forward hook
        found[tap] = output

    return keep
