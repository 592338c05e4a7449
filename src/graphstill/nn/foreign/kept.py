"""What a module keeps from one pass to the next beside its parameters and buffers, and how it is made to forget.

A network is its parameters and buffers: they are what is saved, selected and handed on. Whatever else a module stores
while it runs (PyG's ``cached=True``, a normalisation that was computed once, a dictionary by size) belongs to the graph
that it ran on, and is taken away before it sees another.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, MutableMapping
from typing import Any

import torch
from torch import Tensor, nn

_OWN = frozenset(nn.Module().__dict__)
_LIBRARIES = ("torch", "torch_geometric", "torch_sparse", "torch_scatter", "numpy", "scipy", "builtins", "functools")
_DEPTH = 3


class ClassNamespace(MutableMapping[str, Any]):
    """The data attributes of a class as a mapping that can be written."""

    def __init__(self, cls: type) -> None:
        self._class = cls

    def __getitem__(self, name: str) -> Any:
        return self._class.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._class, name, value)

    def __delitem__(self, name: str) -> None:
        delattr(self._class, name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, value in list(self._class.__dict__.items()) if _is_data(name, value))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Kept:
    """Everything outside of parameters and buffers that a module could keep, as it is now.

    Looked at are the attributes of all submodules and of objects of the user's in them, the classes of the user's
    modules, the globals that their ``forward`` names, and caches of functions; lists, sets and dictionaries with what
    is in them. Numbers that count on are left to count.
    """

    def __init__(self, network: nn.Module) -> None:
        self._places: list[tuple[str, MutableMapping[str, Any], frozenset[str] | None]] = list(_places(network))
        self._buffers = [(path, module._buffers) for path, module in network.named_modules() if _may_keep(module)]
        self._functions = [f for _, space, names in self._places for f in _cached_functions(space, names)]
        self.remember()

    def remember(self) -> None:
        """What is kept now is what is to come back."""
        self._values = [dict(_visible(space, names)) for _, space, names in self._places]
        self._contents = [
            (held, _copy(held)) for values in self._values for value in values.values() for held in _containers(value)
        ]
        self._first_buffers = [dict(buffers) for _, buffers in self._buffers]

    def changed(self) -> list[str]:
        """The attributes that are not what they were, by the path of their submodule."""
        found = []
        for (path, space, names), before in zip(self._places, self._values, strict=True):
            now = dict(_visible(space, names))
            for name in sorted(now.keys() | before.keys()):
                if _differs(before, now, name) or any(
                    not _same(held, content)
                    for held, content in self._contents
                    if any(held is mine for mine in _containers(before.get(name)))
                ):
                    found.append(f"{path}.{name}" if path else name)
        for (path, buffers), first in zip(self._buffers, self._first_buffers, strict=True):
            found += [f"{path}.{name}" if path else name for name in buffers if _outgrown(first, buffers, name)]
        return found

    def forget(self) -> None:
        """Put everything back as it was remembered."""
        for (_, space, names), before in zip(self._places, self._values, strict=True):
            now = dict(_visible(space, names))
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
            for name in [name for name in buffers if _outgrown(first, buffers, name)]:
                if name in first:
                    buffers[name] = first[name]
                else:
                    del buffers[name]

    def filled(self) -> list[tuple[MutableMapping[str, Any], str]]:
        """What holds tensors beside parameters: it may have been gathered on a graph before we saw the module."""
        kept = zip((space for _, space, _ in self._places), self._values, strict=True)
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


def _places(network: nn.Module) -> Iterator[tuple[str, MutableMapping[str, Any], frozenset[str] | None]]:
    """Where things can be kept: a path, a namespace, and the names in it that count (None: all that are data)."""
    classes: set[type] = set()
    for path, module in network.named_modules():
        if not _may_keep(module):
            continue
        yield path, module.__dict__, None
        for name, value in list(module.__dict__.items()):
            if name not in _OWN and _is_users_object(value):
                yield f"{path}.{name}" if path else name, value.__dict__, None
        classes |= {cls for cls in type(module).__mro__ if not _of_library(cls)}
    for cls in sorted(classes, key=lambda c: c.__qualname__):
        yield cls.__qualname__, ClassNamespace(cls), None
        for function in [f for f in cls.__dict__.values() if hasattr(f, "__code__")]:
            named = frozenset(name for name in _names(function.__code__) if name in function.__globals__)
            yield f"globals of {cls.__qualname__}", function.__globals__, named


def _may_keep(module: nn.Module) -> bool:
    """Torch's own layers keep nothing of a graph; what is scripted cannot be looked into."""
    return not isinstance(module, torch.jit.ScriptModule) and not type(module).__module__.startswith("torch.nn")


def _names(code: Any) -> set[str]:
    inner = [part for part in code.co_consts if hasattr(part, "co_names")]
    return set(code.co_names).union(*(_names(part) for part in inner))


def _visible(space: MutableMapping[str, Any], names: frozenset[str] | None) -> Iterator[tuple[str, Any]]:
    """What counts of a namespace: of globals only containers and tensors, since anything else is code."""
    if names is not None:
        return ((name, space[name]) for name in names if name in space and _is_store(space[name]))
    return ((name, space[name]) for name in list(space) if name not in _OWN and not name.startswith("__"))


def _is_store(value: Any) -> bool:
    return isinstance(value, dict | list | set | Tensor)


def _is_data(name: str, value: Any) -> bool:
    return (
        not name.startswith("_abc")
        and not name.startswith("__")
        and not callable(value)
        and not hasattr(value, "__get__")
    )


def _is_users_object(value: Any) -> bool:
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, nn.Module | type)
        and not callable(value)
        and not (_of_library(type(value)))
    )


def _of_library(cls: type) -> bool:
    return cls.__module__.split(".")[0] in _LIBRARIES or cls.__module__ == "graphstill.nn.foreign.calling"


def _cached_functions(space: MutableMapping[str, Any], names: frozenset[str] | None) -> list[Any]:
    """``functools.lru_cache``s among the names, and among the methods of a class."""
    values = list(space._class.__dict__.values()) if isinstance(space, ClassNamespace) else list(space.values())
    if names is not None:
        values = [space[name] for name in names if name in space]
    return [value for value in values if isinstance(value, functools._lru_cache_wrapper)]


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
    if name not in first:
        return True
    old, new = first[name], buffers[name]
    return old is not new and (old is None or new is None or old.shape != new.shape)


def _containers(value: Any, depth: int = 0) -> Iterator[Any]:
    if depth < _DEPTH and isinstance(value, dict | list | set | tuple):
        if not isinstance(value, tuple):
            yield value
        for part in list(value.values()) if isinstance(value, dict) else list(value):
            yield from _containers(part, depth + 1)


def _copy(held: Any) -> Any:
    return dict(held) if isinstance(held, dict) else list(held) if isinstance(held, list) else set(held)


def _same(held: Any, content: Any) -> bool:
    if len(held) != len(content):
        return False
    if isinstance(held, dict):
        return all(key in held and held[key] is value for key, value in content.items())
    return held == content if isinstance(held, set) else all(a is b for a, b in zip(held, content, strict=True))


def _refill(held: Any, content: Any) -> None:
    held.clear()
    held.extend(content) if isinstance(held, list) else held.update(content)


def holds_tensors(value: Any) -> bool:
    if isinstance(value, Tensor):
        return not isinstance(value, nn.Parameter)
    if isinstance(value, dict | list | tuple):
        return any(holds_tensors(part) for part in (value.values() if isinstance(value, dict) else value))
    return type(value).__name__ == "SparseTensor"
