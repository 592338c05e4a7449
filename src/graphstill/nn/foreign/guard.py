"""One foreign network at work: it forgets, damages nothing, computes what a fresh copy would, its errors are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from typing import Any
from weakref import WeakSet, ref

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError
from graphstill.nn.foreign.calling import Convention
from graphstill.nn.foreign.copying import copied
from graphstill.nn.foreign.failure import told
from graphstill.nn.foreign.handed import Features, Handed
from graphstill.nn.foreign.kept import Kept, empty, holds_tensors
from graphstill.nn.foreign.places import may_keep
from graphstill.nn.seeded import seeded
from graphstill.ops import Adjacency

_Names = list[tuple[MutableMapping[str, Any], str]]
_Empty = Callable[[MutableMapping[str, Any], str], None]


class Guarded:
    """Runs a network on one graph after another.

    What the network keeps beside parameters and buffers is put back before another graph or other features (`Kept`).
    Its outputs in evaluation are compared with those of a copy that has never run: on the first graph once it has
    learnt, on every other at once, and again when other weights are loaded.
    """

    def __init__(self, network: nn.Module, convention: Convention) -> None:
        self._network, self._convention = network, convention
        self._gathering: list[tuple[dict[str, Any], str]] = []
        self._scripted = any(isinstance(module, torch.jit.ScriptModule) for module in network.modules())
        for module in network.modules():
            if not isinstance(module, torch.jit.ScriptModule):
                empty(module)
        self.kept = Kept(network)
        self._handed = Handed(type(network).__name__)
        self._fresh: nn.Module | None = None
        self._last: tuple[ref[Adjacency], Features] | None = None
        self._several = False
        self._trained = 0
        self._compared: WeakSet[Adjacency] = WeakSet()

    def run(self, x: Tensor, edge_index: Tensor, graph: Adjacency, training: bool, seed: int | None) -> Any:
        """What the network returns; noise of a training pass starts from `seed`."""
        self._convention = self._convention.of(graph)
        if self._last is None:
            self._settle(x, edge_index)
            if not self._scripted:
                self._fresh = copied(self._network, share_weights=True)
                self._gathering = self._gathers(x, edge_index)
        elif self._last[0]() is not graph or not self._last[1].are(x):
            self._several = True
            self.kept.forget()
        self._last = ref(graph), Features(x)
        inputs = (x, edge_index)
        given = self._handed.give(training, *inputs)
        versions = [tensor._version for tensor in given]
        learns = torch.is_grad_enabled()
        first = [(buffers, name, buffers[name]) for buffers, name in self._gathering]
        for buffers, name, buffer in first:
            buffers[name] = buffer.clone()
        try:
            with told(self._network, self._convention, x, edge_index, training):
                # In evaluation too: noise that a module draws there repeats, and is not taken from the user's numbers.
                result = self._call(self._network, given[0], given[1], 0 if seed is None else seed)
        finally:
            torch.set_grad_enabled(learns)
            for buffers, name, buffer in first:
                buffers[name] = buffer
            self._handed.check(training, given, inputs, versions)
        self.kept.drop_buffers()
        if training and learns and isinstance(result, Tensor) and not result.requires_grad:
            self._refuse_without_gradient()
        self._trained += training
        # By the second training pass the first step has been made.
        due = self._several or self._trained > 1
        if due and seed is None and not training and graph not in self._compared:
            self._compared.add(graph)
            self._compare(x, edge_index)
        return result

    def loaded(self) -> None:
        """Other weights were loaded: what is computed with them is compared anew."""
        self._compared.clear()

    def _refuse_without_gradient(self) -> None:
        if any(parameter.requires_grad for parameter in self._network.parameters()):
            raise ConfigError(
                f"the output of {type(self._network).__name__} in a training pass carries no gradient, in "
                "graphstill.nn.foreign: compute it from the module's parameters in torch, without detach(), numpy() or "
                "no_grad()"
            )

    @torch.no_grad()
    def _gathers(self, x: Tensor, edge_index: Tensor) -> list[tuple[dict[str, Any], str]]:
        """Buffers that a pass in evaluation writes to: they hold what is of a graph, since nothing is learnt there."""
        probe = copied(self._network).eval()
        before = {name: (buffer, buffer._version) for name, buffer in probe.named_buffers()}
        if not any(may_keep(module) and module._buffers for module in probe.modules()):
            return []
        with told(probe, self._convention, x, edge_index, False):
            self._call(probe, x.clone(), edge_index.clone(), 0)
        self.kept.forget()
        found = []
        for path, module in self._network.named_modules():
            for name, buffer in module._buffers.items():
                whole = f"{path}.{name}" if path else name
                if buffer is not None and whole in before and before[whole][0]._version != before[whole][1]:
                    found.append((module._buffers, name))
        return found

    def _call(self, network: nn.Module, x: Tensor, edge_index: Tensor, seed: int) -> Any:
        with seeded(seed, x.device):
            return self._convention(network, x, edge_index)

    @torch.no_grad()
    def _compare(self, x: Tensor, edge_index: Tensor) -> None:
        """Raises ConfigError where what the network has kept changes what it computes on this graph."""
        if self._fresh is None:
            return
        after, anew = (self._once(network, x, edge_index) for network in (self._network, self._as_new()))
        if not isinstance(after, Tensor) or not isinstance(anew, Tensor) or after.shape != anew.shape:
            return  # said of the output itself
        if _alike(after, anew) or not _alike(anew, self._once(self._as_new(), x, edge_index)):
            return  # the second: it draws random numbers that are not torch's
        names = ", ".join(map(repr, self.kept.changed())) or "something outside of its attributes"
        raise ConfigError(
            f"{type(self._network).__name__} keeps {names} from one pass to the next, and computes something else with "
            f"it than a copy of the same weights that has not run yet (largest difference "
            f"{float((after - anew).abs().max()):.3g}): what it keeps is neither saved nor selected with its weights; "
            "keep nothing between passes, or register what is learnt as a buffer"
        )

    def _once(self, network: nn.Module, x: Tensor, edge_index: Tensor) -> Any:
        first = [(module, dict(module._buffers)) for module in network.modules() if self._gathering]
        for module, buffers in first:
            module._buffers.update({name: buffer.clone() for name, buffer in buffers.items() if buffer is not None})
        result = self._call(network, x.clone(), edge_index.clone(), 0)
        for module, buffers in first:
            module._buffers.update(buffers)
        return result

    def _as_new(self) -> nn.Module:
        """A copy that has not run, with the weights and buffers of now."""
        assert self._fresh is not None
        fresh = copied(self._fresh, share_weights=True).eval()
        now = dict(self._network.named_modules())
        for path, module in fresh.named_modules():
            if path in now:
                module._buffers = dict(now[path]._buffers)
        return fresh

    @torch.no_grad()
    def _settle(self, x: Tensor, edge_index: Tensor) -> None:
        """Empty what a module that has run before gathered on a graph: what it fills again when it is empty."""
        found = self.kept.filled()
        mode, network = self._network.training, self._network.eval()
        for number, group in enumerate([found, *([one] for one in found)] if found else []):
            flags = [(space, name) for space, _ in group for name in list(space) if space[name] is True]
            flags = [(space, name) for space, name in flags if number == 0 and name not in ("training", "cached")]
            for empty_one in (_empty, _delete):
                if self._refills(network, group, flags, empty_one, x, edge_index):
                    break
            if number == 0 and not self.kept.filled():
                break
        network.train(mode)

    def _refills(
        self, network: nn.Module, group: _Names, flags: _Names, empty_one: _Empty, x: Tensor, edge_index: Tensor
    ) -> bool:
        """Whether the module runs with these names emptied, and fills some again: they stay empty then."""
        for space, name in group:
            empty_one(space, name)
        for space, name in flags:
            space[name] = False
        try:
            self._call(network, x.clone(), edge_index.clone(), 0)
        except Exception:  # noqa: BLE001 - it cannot run without it, so that it is no cache
            refilled = []
        else:
            refilled = [(space, name) for space, name in group if holds_tensors(space.get(name))]
        self.kept.forget()
        for space, name in refilled:
            empty_one(space, name)
        for space, name in flags if refilled else []:
            space[name] = False
        self.kept.remember()
        return bool(refilled)


class Guards:
    """The guards of a cohort's networks, made by its first pass, when lazily sized weights are there.

    A copy of the cohort makes its own.
    """

    def __init__(self) -> None:
        self._made: list[Guarded] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Guards, ()

    def of(self, networks: Iterable[nn.Module], conventions: Iterable[Convention]) -> list[Guarded]:
        """One a network, all made before the first pass of any: they may share what they keep, in a class or global."""
        if not self._made:
            self._made = [Guarded(*each) for each in zip(networks, conventions, strict=True)]
        return self._made

    def loaded(self, i: int) -> None:
        """Network `i` has other weights."""
        if self._made:
            self._made[i].loaded()

    def forget(self) -> None:
        """Take from every network what it has kept of the graph that it saw last."""
        for guard in self._made:
            guard.kept.forget()


def _empty(space: MutableMapping[str, Any], name: str) -> None:
    space[name] = _emptied(space[name])


def _delete(space: MutableMapping[str, Any], name: str) -> None:
    del space[name]


def _emptied(value: Any) -> Any:
    """Nothing, in the same kind of container; a dictionary of containers keeps its keys."""
    if isinstance(value, dict) and value and all(isinstance(part, dict | list | set) for part in value.values()):
        return {key: _emptied(part) for key, part in value.items()}
    return type(value)() if isinstance(value, dict | list | set) else None


def _alike(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4 * max(1.0, float(other.abs().max())), equal_nan=True)
