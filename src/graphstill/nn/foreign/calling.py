"""How a module that is not ours wants to be called."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency

FEATURE_NAMES = frozenset({"x", "input", "inputs", "features", "feat"})
#: What a module may have learnt to expect of its edges, by the names of PyG's layers and examples.
EDGE_NAMES = ("edge_weight", "edge_weights", "edge_attr", "edge_attrs", "edge_features", "weight", "edge_type")
#: What a module may be given by name beside features and edges.
BESIDE = ("batch", "edge_attr")


class Arguments(NamedTuple):
    """Of a module's ``forward``: all that can be given by position, those of them that must be, and the others."""

    positional: list[str]
    required: list[str]
    keywords: list[str]
    required_keywords: list[str]
    open_ended: bool


@dataclass(frozen=True)
class Convention:
    """``kind``: ``"edges"`` for ``(x, edge_index)``, ``"data"`` for a PyG ``Data``, ``"features"`` for ``x`` alone.

    `takes` are those of "batch" and "edge_attr" that it may be given by name; `known` is what the graph has of them.
    """

    kind: str
    takes: tuple[str, ...] = field(default=(), compare=False)
    known: dict[str, Tensor] = field(default_factory=dict, compare=False)

    @property
    def by_edges(self) -> bool:
        return self.kind == "edges"

    def of(self, graph: Adjacency) -> Convention:
        """The same with what this graph has beside its edges: which graph each node is of, and features of edges."""
        known = {} if graph.graph_ptr is None else {"batch": graph.groups.of_row}
        if graph.edge_attr is not None:
            known["edge_attr"] = graph.edge_attr
        return replace(self, known=known) if known or self.known else self

    def __call__(self, module: nn.Module, x: Tensor, edge_index: Tensor) -> Any:
        if self.kind != "data":
            given = {name: self.known[name] for name in self.takes if name in self.known}
            return module(x, edge_index, **given) if self.kind == "edges" else module(x, **given)
        from torch_geometric.data import Data

        return module(Data(x=x, edge_index=edge_index, **self.known))


class ByEdges(nn.Module):
    """A module behind ``forward(x, edge_index)``, whatever it takes itself."""

    def __init__(self, module: nn.Module, convention: Convention) -> None:
        super().__init__()
        self.module, self.convention = module, convention

    def forward(
        self, x: Tensor, edge_index: Tensor, batch: Tensor | None = None, edge_attr: Tensor | None = None
    ) -> Tensor:
        given = {"batch": batch, "edge_attr": edge_attr}
        convention = replace(self.convention, known={k: v for k, v in given.items() if v is not None})
        logits: Tensor = convention(self.module, x, edge_index)
        return logits


def arguments_of(module: nn.Module) -> Arguments:
    """The arguments of a module's ``forward``, of one that torch has scripted too."""
    forward = module.forward
    if isinstance(module, torch.jit.ScriptModule):
        schema = getattr(forward, "schema")  # noqa: B009 - torch does not declare it
        given = schema.arguments[1:]  # without the module itself
        place = [argument for argument in given if not argument.kwarg_only]
        return Arguments(
            [argument.name for argument in place],
            [argument.name for argument in place if not argument.has_default_value()],
            [argument.name for argument in given if argument.kwarg_only],
            [argument.name for argument in given if argument.kwarg_only and not argument.has_default_value()],
            False,
        )
    parameters = list(inspect.signature(forward).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keywords = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    return Arguments(
        [p.name for p in positional],
        [p.name for p in positional if p.default is p.empty],
        [p.name for p in keywords],
        [p.name for p in keywords if p.default is p.empty],
        any(p.kind is p.VAR_POSITIONAL for p in parameters),
    )


def calling_convention(module: nn.Module) -> Convention:
    """From the signature of ``forward``: two arguments or more are ``(x, edge_index)``; a single required one is a PyG
    ``Data``, or the features where it is named like them and no optional ``edge_index`` follows. ``batch`` and
    ``edge_attr`` are given by name where a graph has them.

    Raises:
        ConfigError: three required arguments or more, one that must be given by keyword, or none at all.
    """
    found = arguments_of(module)
    takes = tuple(name for name in BESIDE if name in (*found.positional, *found.keywords))
    found = found._replace(
        required=[name for name in found.required if name not in takes],
        required_keywords=[name for name in found.required_keywords if name not in takes],
    )
    if len(found.required) > 2 or found.required_keywords or not (found.positional or found.open_ended):
        shown = ", ".join([*found.positional, *(f"*, {name}" for name in found.required_keywords)])
        raise ConfigError(
            f"forward({shown}) of {type(module).__name__} cannot be called, in graphstill.nn.foreign: "
            "give a module with forward(x, edge_index), forward(x, edge_index, batch), forward(data) or forward(x)"
        )
    if len(found.required) == 1 and "edge_index" not in found.positional:
        return Convention("features" if found.required[0] in FEATURE_NAMES else "data", takes)
    return Convention("edges", takes)


def unmet_wishes(module: nn.Module) -> list[str]:
    """Arguments of a module for weights or features of edges, which it could have been trained with and is not given.

    Those of modules that take a PyG ``Data`` cannot be told.
    """
    found = arguments_of(module)
    return [name for name in (*found.positional, *found.keywords) if name in EDGE_NAMES]
