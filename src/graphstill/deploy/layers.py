"""Which layer of a user's network something went wrong in: from a traceback, or from the node that an engine names."""

from __future__ import annotations

import ast
import re
from types import TracebackType
from typing import Any

import torch

SCOPES = "pkg.torch.onnx.name_scopes"
#: Where modules come from that are put around a user's.
AROUND = ("torch.export", "torch._export", "graphstill.nn.foreign")
NAMED = re.compile(r"Name:'([^']+)/[^'/]*'")


def layer_of(error: BaseException) -> str:
    """`` in its layer 'conv1' (GATConv)``: the innermost submodule that was running; empty where none was.

    Looks through the errors that led to this one, the first of all first.
    """
    chain: list[BaseException] = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and before not in chain:
        chain.append(before)
    for link in reversed(chain):
        running = _running(link.__traceback__)
        if running:
            names = {id(module): name for name, module in running[0].named_modules()}
            inner = next((module for module in reversed(running) if names.get(id(module))), None)
            if inner is not None:
                return f" in its layer {names[id(inner)]!r} ({type(inner).__name__})"
    return ""


def _running(trace: TracebackType | None) -> list[torch.nn.Module]:
    """The modules whose methods were being called, outermost first, from the one that holds the last of them."""
    found: list[torch.nn.Module] = []
    while trace is not None:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, torch.nn.Module):
            found.append(owner)
        trace = trace.tb_next
    if found:
        last = found[-1]
        found = [module for module in found if any(part is last for part in module.modules())]
    while found and type(found[0]).__module__.startswith(AROUND):
        del found[0]
    return found


def name_nodes(graph: Any) -> None:
    """Give each node the name of the layer that it comes from in front of its own, for the messages of engines."""
    for number, node in enumerate(graph.node):
        noted = next((entry.value for entry in node.metadata_props if entry.key == SCOPES), "[]")
        layers = [str(scope) for scope in ast.literal_eval(noted)[:-1] if scope]
        own = node.name.replace("/", "_") or f"{node.op_type}_{number}"
        node.name = f"{layers[-1]}/{own}" if layers else own


def layer_named_in(message: str) -> str:
    """The same as :func:`layer_of`, from an engine's message about one of its nodes."""
    found = NAMED.search(message)
    return f" in its layer {found.group(1)!r}" if found else ""
