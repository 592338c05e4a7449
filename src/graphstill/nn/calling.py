"""How a module that is not ours wants to be called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError

FEATURE_NAMES = frozenset({"x", "input", "inputs", "features", "feat"})


@dataclass(frozen=True)
class Convention:
    """``kind``: ``"edges"`` for ``(x, edge_index)``, ``"data"`` for a PyG ``Data``, ``"features"`` for ``x`` alone."""

    kind: str

    @property
    def by_edges(self) -> bool:
        return self.kind == "edges"

    def __call__(self, module: nn.Module, x: Tensor, edge_index: Tensor) -> Any:
        if self.kind == "edges":
            return module(x, edge_index)
        if self.kind == "features":
            return module(x)
        from torch_geometric.data import Data

        return module(Data(x=x, edge_index=edge_index))


class ByEdges(nn.Module):
    """A module behind ``forward(x, edge_index)``, whatever it takes itself."""

    def __init__(self, module: nn.Module, convention: Convention) -> None:
        super().__init__()
        self.module, self.convention = module, convention

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.convention(self.module, x, edge_index)
        return logits


def calling_convention(module: nn.Module) -> Convention:
    """From the signature of ``forward``: two arguments or more are ``(x, edge_index)``; a single required one is a PyG
    ``Data``, or the features where it is named like them and no optional ``edge_index`` follows.

    Raises:
        ConfigError: three required arguments or more, or none at all.
    """
    positional = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = inspect.signature(module.forward).parameters.values()
    names = [p.name for p in parameters if p.kind in positional]
    required = [p.name for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty]
    open_ended = any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in parameters)
    if len(required) > 2 or not (names or open_ended):
        raise ConfigError(
            f"forward({', '.join(names)}) of {type(module).__name__} cannot be called, in graphstill.nn.foreign: "
            "give a module with forward(x, edge_index), forward(data) or forward(x)"
        )
    if len(required) == 1 and "edge_index" not in names:
        return Convention("features" if required[0] in FEATURE_NAMES else "data")
    return Convention("edges")


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """torch's global random numbers start from ``seed`` inside, and afterwards go on as if nothing had happened.

    Only the generators of the CPU and of ``device`` are touched: ``torch.manual_seed`` resets every GPU's for good.
    """
    gpu = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpu):
        torch.default_generator.manual_seed(seed)
        for place in gpu:
            with torch.cuda.device(place):
                torch.cuda.manual_seed(seed)
        yield
