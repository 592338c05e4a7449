"""One foreign network at work: it forgets, damages nothing, computes what a fresh copy would, its errors are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakSet, ref

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError
from graphstill.nn.foreign.calling import Convention
from graphstill.nn.foreign.copying import copied
from graphstill.nn.foreign.failure import told
from graphstill.nn.foreign.handed import Handed
from graphstill.nn.foreign.kept import Kept, empty, holds_tensors
from graphstill.nn.seeded import seeded
from graphstill.ops import Adjacency


class Guarded:
    """Runs a network on one graph after another.

    What the network keeps beside parameters and buffers is put back before another graph (`Kept`). Once for each graph
    after the first, in evaluation, its outputs are compared with those of a copy that has never run.
    """

    def __init__(self, network: nn.Module, convention: Convention) -> None:
        self._network, self._convention = network, convention
        self._scripted = any(isinstance(module, torch.jit.ScriptModule) for module in network.modules())
        for module in network.modules():
            if not isinstance(module, torch.jit.ScriptModule):
                empty(module)
        self.kept = Kept(network)
        self._handed = Handed(type(network).__name__)
        self._fresh: nn.Module | None = None
        self._last: ref[Adjacency] | None = None
        self._several = False
        self._compared: WeakSet[Adjacency] = WeakSet()

    def run(self, x: Tensor, edge_index: Tensor, graph: Adjacency, training: bool, seed: int | None) -> Any:
        """What the network returns; noise of a training pass starts from `seed`."""
        if self._last is None:
            self._settle(x, edge_index)
            if not self._scripted:
                self._fresh = copied(self._network, share_weights=True)
        elif self._last() is not graph:
            self._several = True
            self.kept.forget()
        self._last = ref(graph)
        inputs = (x, edge_index)
        given = self._handed.give(training, *inputs)
        versions = [tensor._version for tensor in given]
        with told(self._network, self._convention, x, edge_index, training):
            result = self._call(self._network, given[0], given[1], seed)
        self._handed.check(training, given, inputs, versions)
        self.kept.drop_buffers()
        if self._several and seed is None and not training and graph not in self._compared:
            self._compared.add(graph)
            self._compare(x, edge_index)
        return result

    def _call(self, network: nn.Module, x: Tensor, edge_index: Tensor, seed: int | None) -> Any:
        if seed is None:
            return self._convention(network, x, edge_index)
        with seeded(seed, x.device):
            return self._convention(network, x, edge_index)

    @torch.no_grad()
    def _compare(self, x: Tensor, edge_index: Tensor) -> None:
        """Raises ConfigError where what the network has kept changes what it computes on this graph."""
        if self._fresh is None:
            return
        fresh = copied(self._fresh, share_weights=True).eval()
        for own, other in zip(self._network.modules(), fresh.modules(), strict=True):
            other._buffers = dict(own._buffers)
        after, anew = (self._call(network, x.clone(), edge_index.clone(), 0) for network in (self._network, fresh))
        if not isinstance(after, Tensor) or not isinstance(anew, Tensor) or after.shape != anew.shape:
            return  # said of the output itself
        if torch.allclose(after, anew, rtol=1e-3, atol=1e-4 * max(1.0, float(anew.abs().max())), equal_nan=True):
            return
        names = ", ".join(map(repr, self.kept.changed())) or "something outside of its attributes"
        raise ConfigError(
            f"{type(self._network).__name__} keeps {names} from one pass to the next, and computes something else with "
            f"it than a copy of the same weights that has not run yet (largest difference "
            f"{float((after - anew).abs().max()):.3g}): what it keeps is neither saved nor selected with its weights; "
            "keep nothing between passes, or register what is learnt as a buffer"
        )

    @torch.no_grad()
    def _settle(self, x: Tensor, edge_index: Tensor) -> None:
        """Empty what a module that has run before gathered on a graph: what it fills again when it is empty."""
        found = self.kept.filled()
        mode, network = self._network.training, self._network.eval()
        for group in [found, *([one] for one in found)] if found else []:
            flags = [(space, name) for space, _ in group for name in list(space) if space[name] is True]
            for space, name in group:
                space[name] = _emptied(space[name])
            for space, name in flags if len(group) == len(found) else []:
                if name not in ("training", "cached"):
                    space[name] = False
            try:
                self._call(network, x.clone(), edge_index.clone(), 0)
            except Exception:  # noqa: BLE001 - it cannot run without it, so that it is no cache
                refilled, lowered = [], []
            else:
                refilled = [(space, name) for space, name in group if holds_tensors(space.get(name))]
                lowered = flags if refilled and len(group) == len(found) else []
            self.kept.forget()
            for space, name in refilled:
                space[name] = _emptied(space[name])
            for space, name in lowered:
                if name not in ("training", "cached"):
                    space[name] = False
            self.kept.remember()
            if len(refilled) == len(found):
                break
        network.train(mode)


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

    def forget(self) -> None:
        """Take from every network what it has kept of the graph that it saw last."""
        for guard in self._made:
            guard.kept.forget()


def _emptied(value: Any) -> Any:
    """Nothing, in the same kind of container; a dictionary of containers keeps its keys."""
    if isinstance(value, dict) and value and all(isinstance(part, dict | list | set) for part in value.values()):
        return {key: _emptied(part) for key, part in value.items()}
    return type(value)() if isinstance(value, dict | list | set) else None
