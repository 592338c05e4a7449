"""What went wrong inside a module that is not ours, in words that its owner can act on."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError, GraphstillError
from graphstill.nn.foreign.calling import Convention, unmet_wishes

#: By what the message of an exception holds.
ADVICE = {
    "mat1 and mat2 shapes cannot be multiplied": "make its first layer as wide as the features, its others as wide as "
    "what comes before",
    "must have the same dtype": "convert it with .float()",
    "expected m1 and m2 to have the same dtype": "convert it with .float()",
    "expected scalar type": "convert it with .float()",
    "not implemented for 'Half'": "convert it with .float()",
    "object has no attribute": "the Data that it is given holds x and edge_index alone; read nothing else of it",
    "is out of bounds": "build it for the number of nodes, features and classes of this data",
    "out of range": "build it for the number of nodes, features and classes of this data",
}


@contextmanager
def told(network: nn.Module, convention: Convention, x: Tensor, edge_index: Tensor, training: bool) -> Iterator[None]:
    """Any exception of a pass as a ConfigError: which module, where in it, what it was given, what it takes.

    Memory that does not suffice is passed on as it is.
    """
    try:
        yield
    except (GraphstillError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if "can't allocate memory" in str(error):
            raise
        given = f"x {str(x.dtype).removeprefix('torch.')} {list(x.shape)}"
        if convention.kind != "features":
            given += f" and edge_index int64 {list(edge_index.shape)}"
        if convention.known and convention.kind == "data":
            given += f" and {' and '.join(convention.known)}"
        elif convention.takes and not convention.known:
            given += f" (this task has no {' and no '.join(convention.takes)})"
        where = _deepest(network, error)
        raise ConfigError(
            f"{type(network).__name__} failed in {'a training' if training else 'an evaluation'} pass"
            f"{f', in its submodule {where!r}' if where else ''} ({type(error).__name__}: {_text(error)}). It was "
            f"given {given}{' in a torch_geometric.data.Data' if convention.kind == 'data' else ''}; its forward takes "
            f"{_signature(network)}: {_advice(network, error)}"
        ) from error


def _text(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else "without a message"


def _advice(network: nn.Module, error: Exception) -> str:
    text = str(error)
    known = next((advice for part, advice in ADVICE.items() if part in text), None)
    if known is not None:
        return known
    widths = [name for name, m in network.named_modules() if getattr(m, "edge_dim", None) or hasattr(m, "lin_edge")]
    if isinstance(error, AssertionError) or "NoneType" in text or unmet_wishes(network) or widths:
        return (
            "models here see edges as present or absent; where it needs weights or features of edges (edge_dim, "
            "edge_attr, edge_weight), build it without them, or give a function around it that adds them"
        )
    return "call it with such tensors yourself to see the whole of it"


def _signature(network: nn.Module) -> str:
    if isinstance(network, torch.jit.ScriptModule):
        return str(getattr(network.forward, "schema"))  # noqa: B009 - torch does not declare it
    return str(inspect.signature(network.forward))


def _deepest(network: nn.Module, error: BaseException) -> str:
    """The path of the innermost submodule whose method was running."""
    paths, found, trace = {id(module): path for path, module in network.named_modules()}, "", error.__traceback__
    while trace is not None:
        found = paths.get(id(trace.tb_frame.f_locals.get("self")), found) or found
        trace = trace.tb_next
    return found
