"""Copies of modules that are not ours."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from graphstill.errors import ConfigError


def copied(network: nn.Module, share_weights: bool = False) -> nn.Module:
    """A copy that shares nothing with the module, or its parameters and buffers only.

    An activation that the module has kept (``self.h = ...``) is copied without its history, which torch cannot copy.

    Raises:
        ConfigError: it holds something that cannot be copied, such as a lock or a generator.
    """
    memo: dict[int, Any] = {id(t): t.detach().clone() for t in _tensors(network, set()) if not t.is_leaf}
    if share_weights:
        memo |= {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    try:
        return copy.deepcopy(network, memo)
    except Exception as error:
        raise ConfigError(
            f"{type(network).__name__} cannot be copied ({type(error).__name__}: {error}), in graphstill.nn.foreign: "
            "keep nothing in the module but layers, tensors and plain values; or give a function that makes a new "
            "module (a student), or the logits of the module (a teacher)"
        ) from error


def _tensors(thing: Any, seen: set[int]) -> Iterator[Tensor]:
    """All tensors that can be reached through attributes and containers."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        yield thing
    elif isinstance(thing, dict):
        for part in list(thing.values()):
            yield from _tensors(part, seen)
    elif isinstance(thing, list | tuple | set | frozenset):
        for part in list(thing):
            yield from _tensors(part, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type) and not callable(getattr(thing, "__get__", None)):
        yield from _tensors(vars(thing), seen)
