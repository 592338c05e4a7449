"""Any torch module as a model: your own network, or one of PyG's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError, GraphstillError
from graphstill.nn.foreign.calling import calling_convention
from graphstill.nn.foreign.cohort import ForeignCohort
from graphstill.nn.foreign.copying import copied
from graphstill.nn.known_labels import KnownLabels
from graphstill.nn.model import Model
from graphstill.nn.seeded import seeded
from graphstill.plain_yaml import shown


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
    given = [modules] if isinstance(modules, nn.Module) or not isinstance(modules, Sequence) else list(modules)
    odd = next((module for module in given if not isinstance(module, nn.Module)), None)
    if odd is not None:
        raise ConfigError(f"{shown(odd)} is no torch.nn.Module, in graphstill.nn.wrap: give a trained module")
    modules = given
    if not modules:
        raise ConfigError("no module, in graphstill.nn.wrap: give at least one")
    copies = [copied(module) for module in modules]
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
            _check_weights(module)
        if not any(parameter.requires_grad for parameter in cohort.parameters()):
            raise ConfigError(
                f"{self} has no parameter that can be trained (all of requires_grad=False, or none at all), in "
                "graphstill.nn.foreign: unfreeze some, or give the module as a teacher"
            )
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
        module = self._made(seed)
        if any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers())):
            raise ConfigError(
                f"{type(module).__name__} is on the device meta and has no weights, in graphstill.nn.foreign: "
                "make it on a device that holds numbers"
            )
        return module

    def _made(self, seed: int) -> nn.Module:
        with seeded(seed):
            if isinstance(self.factory, nn.Module):
                module = copied(self.factory)
                if _resettable(module):
                    _reset(module)
                return module
            try:
                module = self.factory()
            except GraphstillError:
                raise
            except Exception as error:
                raise ConfigError(
                    f"the factory failed ({type(error).__name__}: {error}), in graphstill.nn.foreign: give a function "
                    "without arguments that returns a torch.nn.Module"
                ) from error
        if not isinstance(module, nn.Module):
            raise ConfigError(
                f"the factory returned {type(module).__name__}, in graphstill.nn.foreign: return a torch.nn.Module"
            )
        return module


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


def _check_weights(module: nn.Module) -> None:
    """That its ``state_dict`` is all that it has learnt, and tensors alone: that is what is selected and saved."""
    name, state = type(module).__name__, module.state_dict()
    other = [key for key, value in state.items() if not isinstance(value, Tensor)]
    absent = [key for key, _ in module.named_parameters() if key not in state]
    if other or absent:
        found = f"holds {other[0]!r}, which is no tensor" if other else f"does not hold the parameter {absent[0]!r}"
    else:
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            found = f"cannot be loaded again ({' '.join(str(error).split())[:300]})"
        else:
            return
    raise ConfigError(
        f"the state_dict() of {name} {found}, in graphstill.nn.foreign: weights are selected and saved by it; "
        "register tensors as buffers instead of an extra state, and put norms of weights on layers of torch.nn alone"
    )


def _materialise(module: nn.Module, inputs: int, seed: int) -> None:
    """Give lazily sized parameters (PyG's ``Linear(-1, ...)``) their shapes and weights, by a pass over two nodes."""
    if not any(nn.parameter.is_lazy(parameter) for parameter in module.parameters()):
        return
    with seeded(seed), torch.no_grad():
        calling_convention(module)(module.eval(), torch.zeros(2, inputs), torch.tensor([[0, 1], [1, 0]]))
