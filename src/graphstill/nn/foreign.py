"""Any torch module as a model: your own network, or one of PyG's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError, DataError, nearest
from graphstill.nn.calling import ByEdges, calling_convention, seeded
from graphstill.nn.cohort import Cohort, check_state, snapshot
from graphstill.nn.inputs import as_dense, as_edge_index
from graphstill.nn.known_labels import KnownLabels
from graphstill.nn.model import Model
from graphstill.nn.output import Hidden, Output
from graphstill.ops import Adjacency, Noise, SparseFeatures


def foreign(factory: Callable[[], nn.Module] | nn.Module, taps: Sequence[str] = ()) -> ForeignModel:
    """A model specification around any module, to be trained from its initial weights.

    The module maps ``(x [nodes, inputs], edge_index int64 [2, edges])``, or a PyG ``Data`` (a single required
    argument), or the features alone (a single required argument named ``x``, ``input`` or ``features``) to logits
    ``[nodes, outputs]``.

    Args:
        factory: a class or function without arguments that makes a new module, called once a member with torch's random
            numbers seeded by the member's seed. Or a module: copied for each member and initialised again by its
            ``reset_parameters`` (its own, or that of all its parts). A module that cannot be initialised again keeps
            its weights and can have one member only. For weights to keep, see :func:`wrap`.
        taps: submodules whose outputs ``[nodes, width]`` are the hidden features, by name (``"convs.0"``), in order.

    Raises:
        ConfigError: ``factory`` is neither. Unknown taps are reported by ``build``, with the names there are.
    """
    return ForeignModel(factory, tuple(taps))


def wrap(
    modules: nn.Module | Sequence[nn.Module], inputs: int, outputs: int, taps: Sequence[str] = ()
) -> ForeignCohort:
    """A cohort around copies of modules as they are, trained weights included: a teacher, for instance."""
    modules = [modules] if isinstance(modules, nn.Module) else list(modules)
    if not modules:
        raise ConfigError("no module, in graphstill.nn.wrap: give at least one")
    copies = [copy.deepcopy(module) for module in modules]
    return ForeignCohort(ForeignModel(modules[0], tuple(taps)), inputs, outputs, range(len(modules)), copies)


@dataclass(frozen=True)
class ForeignModel(Model):
    """What :func:`foreign` returns. Not registered by name: a recipe file cannot hold a module."""

    name: ClassVar[str] = "foreign"
    defaults: ClassVar[dict[str, Any]] = {"lr": 0.01, "weight_decay": 5e-4, "epochs": 200, "patience": None}
    factory: Callable[[], nn.Module] | nn.Module
    taps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not callable(self.factory):
            self._refuse("factory", "a torch.nn.Module, or a function without arguments that returns one")
        if isinstance(self.factory, nn.Module):
            calling_convention(self.factory)

    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> ForeignCohort:
        if isinstance(self.factory, nn.Module) and len(seeds) > 1 and not _resettable(self.factory):
            raise ConfigError(
                f"{type(self.factory).__name__} has weights that no reset_parameters() initialises, "
                f"and {len(seeds)} members are asked for, in graphstill.nn.foreign: "
                "give a function that makes a new module instead of a module"
            )
        cohort = ForeignCohort(self, inputs, outputs, seeds, [self._make(seed) for seed in seeds])
        for module, seed in zip(cohort.networks, cohort.seeds, strict=True):
            _materialise(module, inputs, seed)
        return cohort

    def parameters_count(self, inputs: int, outputs: int, known: KnownLabels | None = None) -> int:
        cohort = self.build(inputs, outputs, [0])
        return sum(p.numel() for p in cohort.parameters() if p.requires_grad)

    def __str__(self) -> str:
        made = (
            type(self.factory).__name__
            if isinstance(self.factory, nn.Module)
            else getattr(self.factory, "__name__", "")
        )
        return f"foreign({made})"

    def _make(self, seed: int) -> nn.Module:
        with seeded(seed):
            if isinstance(self.factory, nn.Module):
                module = copy.deepcopy(self.factory)
                if _resettable(module):
                    _reset(module)
                return module
            module = self.factory()
        if not isinstance(module, nn.Module):
            raise ConfigError(
                f"the factory returned {type(module).__name__}, in graphstill.nn.foreign: return a torch.nn.Module"
            )
        return module


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
    spec: ForeignModel

    def __init__(
        self, spec: ForeignModel, inputs: int, outputs: int, seeds: Sequence[int], networks: Sequence[nn.Module]
    ) -> None:
        super().__init__(spec, inputs, outputs, seeds)
        self.networks = nn.ModuleList(networks)
        for tap in spec.taps:
            names = [name for name, _ in networks[0].named_modules() if name]
            if tap not in names:
                raise ConfigError(f"unknown tap {tap!r} of {spec}: {nearest(tap, names)} (modules: {', '.join(names)})")
        self._conventions = [calling_convention(network) for network in networks]

    def forward(self, x: SparseFeatures | Tensor, graph: Adjacency, noise: Noise | None = None) -> Output:
        features, edge_index = as_dense(x), as_edge_index(graph)
        if features.shape[-2:] != (graph.num_nodes, self.inputs) or features.shape[:-2] not in ((), (self.members,)):
            raise DataError(
                f"features of shape {list(features.shape)} for {self.spec}: give [{graph.num_nodes}, {self.inputs}] "
                f"(nodes, features) or [{self.members}, {graph.num_nodes}, {self.inputs}] (members, nodes, features)"
            )
        own = features if features.dim() == 3 else [features] * self.members
        results = [self._run(i, own[i], edge_index, noise) for i in range(self.members)]
        layers = zip(*(taps for _, taps in results), strict=True)
        stacked = (torch.stack(layer) for layer in layers)
        return Output(torch.stack([logits for logits, _ in results]), tuple(Hidden(h, h, h) for h in stacked))

    def _run(self, i: int, x: Tensor, edge_index: Tensor, noise: Noise | None) -> tuple[Tensor, list[Tensor]]:
        network, found = self.networks[i], dict[str, Tensor]()
        training = noise is not None and not self.deterministic
        if network.training != training:
            network.train(training)
        handles = [network.get_submodule(tap).register_forward_hook(_keeper(found, tap)) for tap in self.spec.taps]
        try:
            if noise is None:
                logits = self._conventions[i](network, x, edge_index)
            else:
                with seeded(int(noise.member(i).uniform((), torch.float64).item() * 2**53), x.device):
                    logits = self._conventions[i](network, x, edge_index)
        finally:
            for handle in handles:
                handle.remove()
        self._check_rows("its output", logits, x, self.outputs)
        for tap in self.spec.taps:
            self._check_rows(f"its tap {tap!r}", found.get(tap), x, None)
        return logits, [found[tap] for tap in self.spec.taps]

    def _check_rows(self, what: str, result: object, x: Tensor, width: int | None) -> None:
        wanted = f"[{x.size(0)}, {width or 'width'}]"
        if not isinstance(result, Tensor):
            raise ConfigError(f"{what} is {type(result).__name__}, in {self.spec}: it must be a tensor {wanted}")
        if result.dim() != 2 or len(result) != len(x) or (width is not None and result.size(1) != width):
            raise ConfigError(f"{what} has shape {list(result.shape)}, in {self.spec}: it must be {wanted}")

    def member(self, i: int) -> nn.Module:
        """A copy of the module where it takes ``(x, edge_index)``, else of it in an adapter that does."""
        i = self._index(i)
        network, convention = copy.deepcopy(self.networks[i]), self._conventions[i]
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

    def select(self, members: Sequence[int]) -> ForeignCohort:
        chosen = [self._index(i) for i in members]
        if not chosen:
            raise ConfigError(
                f"no member selected, of a cohort of {self.members} {self.spec}: give at least one number"
            )
        networks = [copy.deepcopy(self.networks[i]) for i in chosen]
        other = ForeignCohort(self.spec, self.inputs, self.outputs, [self.seeds[i] for i in chosen], networks)
        other.deterministic = self.deterministic
        return other


def _keeper(found: dict[str, Tensor], tap: str) -> Callable[..., None]:
    def keep(module: nn.Module, args: object, output: Tensor) -> None:  # noqa: ARG001 - the signature of a forward hook
        found[tap] = output

    return keep


def _reset(module: nn.Module) -> None:
    """The outermost ``reset_parameters`` of each branch: it is taken to reset everything below."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
    else:
        for child in module.children():
            _reset(child)


def _resettable(module: nn.Module) -> bool:
    """Whether every parameter lies under some ``reset_parameters``."""
    if callable(getattr(module, "reset_parameters", None)):
        return True
    return not list(module.parameters(recurse=False)) and all(_resettable(child) for child in module.children())


def _materialise(module: nn.Module, inputs: int, seed: int) -> None:
    """Give lazily sized parameters (PyG's ``Linear(-1, ...)``) their shapes and weights, by a pass over two nodes."""
    if not any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        return
    with seeded(seed), torch.no_grad():
        calling_convention(module)(module.eval(), torch.zeros(2, inputs), torch.tensor([[0, 1], [1, 0]]))
