"""Where a module that is not ours can keep things beside its parameters and buffers."""

from __future__ import annotations

import dis
import functools
import sys
from collections import deque
from collections.abc import Iterator, MutableMapping
from types import MethodType, SimpleNamespace
from typing import Any

import torch
from torch import nn

_OWN = frozenset(nn.Module().__dict__)
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_LIBRARIES = frozenset({"torch", "torch_geometric", "torch_sparse", "torch_scatter", "numpy", "scipy", "graphstill"})
_STANDARD = sys.stdlib_module_names | {"builtins"}
_DEPTH, _PARTS = 4, 100

Space = MutableMapping[str, Any]


class _View(MutableMapping[str, Any]):
    """A namespace, of which only data show."""

    def __init__(self, space: Space, hidden: frozenset[str] = frozenset()) -> None:
        self._space, self._hidden = space, hidden

    def __getitem__(self, name: str) -> Any:
        return self._space[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._space[name] = value

    def __delitem__(self, name: str) -> None:
        del self._space[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name in list(self._space) if name not in self._hidden and not name.startswith("__"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Globals(_View):
    """Of a function's globals: those that it assigns to, and containers and tensors; anything else is code."""

    def __init__(self, space: Space, names: frozenset[str], assigned: frozenset[str]) -> None:
        super().__init__(space)
        self._names = {name for name in names if name in assigned or (name in space and _is_store(space[name]))}

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._names if name in self._space)


class _Attributes(_View):
    """The data of a class, or what an object holds in ``__slots__``."""

    def __init__(self, owner: Any, names: tuple[str, ...] | None = None) -> None:
        super().__init__({})
        self._owner, self._names = owner, names

    def __getitem__(self, name: str) -> Any:
        return self._owner.__dict__[name] if self._names is None else getattr(self._owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self._owner, name, value)

    def __delitem__(self, name: str) -> None:
        delattr(self._owner, name)

    def __iter__(self) -> Iterator[str]:
        if self._names is not None:
            return (name for name in self._names if hasattr(self._owner, name))
        return (name for name, value in list(self._owner.__dict__.items()) if _is_data(name, value))


class _Cells(_View):
    """What a function has of the function around it."""

    def __init__(self, cells: dict[str, Any]) -> None:
        super().__init__(cells)

    def __getitem__(self, name: str) -> Any:
        return self._space[name].cell_contents

    def __setitem__(self, name: str, value: Any) -> None:
        self._space[name].cell_contents = value

    def __delitem__(self, name: str) -> None:
        del self._space[name].cell_contents

    def __iter__(self) -> Iterator[str]:
        return (name for name in super().__iter__() if _is_full(self._space[name]))


class _Defaults(_View):
    """Default values of a function's arguments, by their place among them."""

    def __init__(self, function: Any) -> None:
        super().__init__({})
        self._function = function

    def __getitem__(self, name: str) -> Any:
        return self._function.__defaults__[int(name)]

    def __setitem__(self, name: str, value: Any) -> None:
        values = list(self._function.__defaults__)
        values[int(name)] = value
        self._function.__defaults__ = tuple(values)

    def __delitem__(self, name: str) -> None:
        self[name] = None  # the places after it must stay

    def __iter__(self) -> Iterator[str]:
        return map(str, range(len(self._function.__defaults__ or ())))


class Places:
    """All that can be reached from a network: attributes, objects of the user's, classes, functions and what they use.

    Attributes:
        found: a path to tell, and a namespace that can be written.
        functions: those with a ``functools`` cache.
    """

    def __init__(self, network: nn.Module) -> None:
        self.found: list[tuple[str, Space]] = []
        self.functions: list[Any] = []
        self._seen: set[int] = set()
        for path, module in network.named_modules():
            self._module(path, module)

    def _add(self, path: str, space: Space) -> None:
        self.found.append((path, space))
        for name in list(space):
            self._value(f"{path}.{name}" if path else name, space[name], 0)

    def _module(self, path: str, module: nn.Module) -> None:
        if id(module) in self._seen or isinstance(module, torch.jit.ScriptModule):
            return
        self._seen.add(id(module))
        for hook in [hook for kind in _HOOKS for hook in list(module.__dict__.get(kind, {}).values())]:
            self._value(f"a hook of {path or type(module).__name__}", hook, 0)
        if not may_keep(module):
            return
        self._add(path, _View(module.__dict__, _OWN))
        self.found.append((path, _View(module._modules)))
        self._class(type(module))

    def _class(self, cls: type) -> None:
        for each in cls.__mro__:
            if id(each) in self._seen or _of_library(each.__module__):
                continue
            self._seen.add(id(each))
            self._add(each.__qualname__, _Attributes(each))
            for value in list(each.__dict__.values()):
                self._function(value, 0)

    def _value(self, path: str, value: Any, depth: int) -> None:
        """Whatever a name stands for, if it can hold something of the user's."""
        if depth > _DEPTH or isinstance(value, str | bytes | int | float | torch.Tensor | torch.jit.ScriptModule):
            return
        if isinstance(value, dict | list | tuple | set | deque):
            for part in list(value.values() if isinstance(value, dict) else value)[:_PARTS]:
                self._value(path, part, depth + 1)
        elif isinstance(value, nn.Module):
            self._module(path, value)
        elif isinstance(value, type):
            self._class(value)
        elif isinstance(value, SimpleNamespace) or not _of_library(type(value).__module__):
            self._object(path, value)
        else:
            self._function(value, depth)

    def _object(self, path: str, value: Any) -> None:
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if hasattr(value, "__dict__"):
            self._add(path, _View(value.__dict__))
        slots = [getattr(cls, "__slots__", ()) for cls in type(value).__mro__]
        names = [name for each in slots for name in ((each,) if isinstance(each, str) else each)]
        if names:
            self._add(path, _Attributes(value, tuple(name for name in names if not name.startswith("__"))))
        self._class(type(value))

    def _function(self, value: Any, depth: int) -> None:
        """Functions, however wrapped, of the user's."""
        if isinstance(value, functools._lru_cache_wrapper):
            if value not in self.functions:
                self.functions.append(value)
            value = value.__wrapped__
        if isinstance(value, functools.partial):
            self._value("arguments of a partial", (value.func, value.args, value.keywords), depth)
            return
        if isinstance(value, MethodType):
            self._value(f"the owner of {value.__name__}", value.__self__, depth + 1)
        for inner in ("__func__", "fget", "func"):
            value = getattr(value, inner, value)
        code = getattr(value, "__code__", None)
        if code is None or id(value) in self._seen or depth > _DEPTH or _of_library(value.__module__ or ""):
            return
        self._seen.add(id(value))
        path, names, assigned = value.__qualname__, *_names(code)
        used = [value.__globals__[name] for name in names if name in value.__globals__]
        self.found.append((f"globals of {path}", _Globals(value.__globals__, names, assigned)))
        self.found.append((path, _View(value.__dict__)))
        cells = _Cells(dict(zip(code.co_freevars, value.__closure__ or (), strict=True)))
        self.found.append((f"variables around {path}", cells))
        defaults = [_Defaults(value), _View(value.__kwdefaults__ or {})]
        self.found += [(f"defaults of {path}", space) for space in defaults]
        around = [space[name] for space in (cells, *defaults) for name in space]
        for part in (*used, *around, *value.__dict__.values()):
            self._value(f"what {path} uses", part, depth + 1)


def may_keep(module: nn.Module) -> bool:
    """Torch's own layers keep nothing of a graph; what is scripted cannot be looked into."""
    return not isinstance(module, torch.jit.ScriptModule) and not type(module).__module__.startswith("torch.nn")


def _names(code: Any) -> tuple[frozenset[str], frozenset[str]]:
    """The names that code uses, and the globals that it assigns to."""
    inner = [_names(part) for part in code.co_consts if hasattr(part, "co_names")]
    assigned = [i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_GLOBAL", "DELETE_GLOBAL")]
    return (
        frozenset(code.co_names).union(*(names for names, _ in inner)),
        frozenset(assigned).union(*(stored for _, stored in inner)),
    )


def _of_library(module: str) -> bool:
    package = module.split(".")[0]
    return package in _LIBRARIES or package in _STANDARD


def _is_store(value: Any) -> bool:
    return isinstance(value, dict | list | set | deque | torch.Tensor)


def _is_full(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _is_data(name: str, value: Any) -> bool:
    return not (name.startswith(("_abc", "__")) or callable(value) or hasattr(value, "__get__"))
