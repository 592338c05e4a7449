"""What a module keeps from one pass to the next beside its parameters and buffers, and how it is made to forget.

A network is its parameters and buffers: they are what is saved, selected and handed on. Whatever else a module stores
while it runs (PyG's ``cached=True``, a normalisation that was computed once, a dictionary by size) belongs to the graph
that it ran on, and is taken away before it sees another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, MutableMapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphstill.nn.foreign.places import Places, may_keep

_DEPTH = 3
#: Larger tensors and arrays that a module writes to in place are not put back: the comparison with a copy refuses them.
_LARGEST = 2**22


class Kept:
    """Everything outside of parameters and buffers that a module could keep, as it is now.

    Looked at are the :class:`~graphstill.nn.foreign.places.Places` of the network: lists, sets and dictionaries with
    what is in them, tensors and arrays with their values. Numbers that count on are left to count.
    """

    def __init__(self, network: nn.Module) -> None:
        places = Places(network)
        self._places, self._functions = places.found, places.functions
        self._buffers = [(path, module._buffers) for path, module in network.named_modules() if may_keep(module)]
        self.remember()

    def remember(self) -> None:
        """What is kept now is what is to come back."""
        self._values = [dict(space) for _, space in self._places]
        self._contents = [
            (held, _copy(held)) for values in self._values for value in values.values() for held in _containers(value)
        ]
        self._arrays = [
            (number, name, Array(value))
            for number, values in enumerate(self._values)
            for name, value in values.items()
            if Array.suits(value)
        ]
        self._first_buffers = [dict(buffers) for _, buffers in self._buffers]

    def changed(self) -> list[str]:
        """The attributes that are not what they were, by the path of their submodule."""
        found = []
        written = {(number, name) for number, name, array in self._arrays if array.changed()}
        for number, ((path, space), before) in enumerate(zip(self._places, self._values, strict=True)):
            now = dict(space)
            for name in sorted(now.keys() | before.keys()):
                if (
                    _differs(before, now, name)
                    or (number, name) in written
                    or any(
                        not _same(held, content)
                        for held, content in self._contents
                        if any(held is mine for mine in _containers(before.get(name)))
                    )
                ):
                    found.append(f"{path}.{name}" if path else name)
        for (path, buffers), first in zip(self._buffers, self._first_buffers, strict=True):
            found += [f"{path}.{name}" if path else name for name in buffers if _outgrown(first, buffers, name)]
        return list(dict.fromkeys(found))

    def forget(self) -> None:
        """Put everything back as it was remembered."""
        for number, name, array in self._arrays:
            if array.changed():
                self._values[number][name] = self._places[number][1][name] = array.anew()
        for (_, space), before in zip(self._places, self._values, strict=True):
            now = dict(space)
            for name in now.keys() | before.keys():
                if name not in before:
                    del space[name]
                elif _differs(before, now, name):
                    space[name] = before[name]
        for held, content in self._contents:
            if not _same(held, content):
                _refill(held, content)
        for function in self._functions:
            function.cache_clear()
        self.drop_buffers()

    def drop_buffers(self) -> None:
        """Put back the buffers that a pass has made: of a run that never made them the weights would have others."""
        for (_, buffers), first in zip(self._buffers, self._first_buffers, strict=True):
            for name in [name for name in first.keys() | buffers.keys() if _outgrown(first, buffers, name)]:
                if name in first:
                    buffers[name] = first[name]
                else:
                    del buffers[name]

    def filled(self) -> list[tuple[MutableMapping[str, Any], str]]:
        """What holds tensors beside parameters: it may have been gathered on a graph before we saw the module."""
        kept = zip((space for _, space in self._places), self._values, strict=True)
        made = zip((buffers for _, buffers in self._buffers), self._first_buffers, strict=True)
        return [
            (space, name) for space, values in (*kept, *made) for name, value in values.items() if holds_tensors(value)
        ]


def switch_off(network: nn.Module) -> None:
    """PyG's own caches: emptied and off, for a module that is handed on to be used on any graph."""
    for module in network.modules():
        if not isinstance(module, torch.jit.ScriptModule):
            if module.__dict__.get("cached") is True:
                module.__dict__["cached"] = False
            empty(module)


def empty(module: nn.Module) -> None:
    """What PyG has cached in this one layer is dropped; it computes it again."""
    for name in [name for name in module.__dict__ if name.startswith("_cached_")]:
        module.__dict__[name] = None


class Array:
    """A tensor or an array of a module's, with the values that it is to have again."""

    def __init__(self, value: Tensor | np.ndarray) -> None:
        self._value = value
        self._first = value.detach().clone() if isinstance(value, Tensor) else value.copy()
        self._version = value._version if isinstance(value, Tensor) else 0

    @staticmethod
    def suits(value: Any) -> bool:
        if isinstance(value, Tensor):
            plain = value.layout == torch.strided and value.device.type != "meta" and not value.is_inference()
            return plain and not isinstance(value, nn.Parameter) and value.numel() <= _LARGEST
        return isinstance(value, np.ndarray) and value.dtype != object and value.size <= _LARGEST

    def changed(self) -> bool:
        """Whether it was written to."""
        if isinstance(self._value, Tensor):
            return self._value._version != self._version
        return not np.array_equal(self._value, self._first, equal_nan=self._value.dtype.kind in "fc")

    def anew(self) -> Tensor | np.ndarray:
        """Another with the values it had: a pass that used this one may not have gone backwards yet."""
        self._value = self._first.clone() if isinstance(self._first, Tensor) else self._first.copy()
        self._version = 0
        return self._value


def _differs(before: dict[str, Any], now: dict[str, Any], name: str) -> bool:
    if name not in before or name not in now:
        return True
    old, new = before[name], now[name]
    if old is new:
        return False
    counts = [isinstance(value, int | float) and not isinstance(value, bool) for value in (old, new)]
    return not all(counts) and not (isinstance(old, str | bytes | bool) and old == new)


def _outgrown(first: dict[str, Any], buffers: dict[str, Any], name: str) -> bool:
    """Whether a buffer was made by a pass, or made anew in another shape: what is learnt keeps its shape."""
    if name not in first or name not in buffers:
        return True
    old, new = first[name], buffers[name]
    return old is not new and (old is None or new is None or old.shape != new.shape)


def _containers(value: Any, depth: int = 0) -> Iterator[Any]:
    if depth < _DEPTH and isinstance(value, dict | list | set | tuple | deque):
        if not isinstance(value, tuple):
            yield value
        for part in list(value.values()) if isinstance(value, dict) else list(value):
            yield from _containers(part, depth + 1)


def _copy(held: Any) -> Any:
    return dict(held) if isinstance(held, dict) else set(held) if isinstance(held, set) else list(held)


def _same(held: Any, content: Any) -> bool:
    if len(held) != len(content):
        return False
    if isinstance(held, dict):
        return all(key in held and held[key] is value for key, value in content.items())
    return held == content if isinstance(held, set) else all(a is b for a, b in zip(held, content, strict=True))


def _refill(held: Any, content: Any) -> None:
    held.clear()
    held.extend(content) if isinstance(held, list | deque) else held.update(content)


def holds_tensors(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not isinstance(value, nn.Parameter)
    if isinstance(value, dict | list | tuple):
        return any(holds_tensors(part) for part in (value.values() if isinstance(value, dict) else value))
    return type(value).__name__ == "SparseTensor"
