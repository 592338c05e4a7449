"""Modules that are not of the zoo as ONNX files, by torch's own exporter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from graphstill.deploy.extra import needed, quiet
from graphstill.deploy.layers import layer_of, name_nodes
from graphstill.deploy.onnx_graph import OPSET
from graphstill.deploy.parity import first_line
from graphstill.deploy.rewrites import add_whole_rows, count_axes_from_the_front
from graphstill.errors import ExportError

Examples = Mapping[str, tuple[torch.Tensor, int]]


def export_module(module: torch.nn.Module, features: int, by_edges: bool) -> bytes:
    """A module in evaluation mode as an ONNX file: ``x`` and, where ``by_edges``, ``edge_index``, to ``logits``.

    Raises:
        ExportError: torch's exporter refuses the module; its reason is in the message.
    """
    # Sizes that occur nowhere else in the module, or the exporter may take one for a constant.
    nodes, edges = 1013, 3019
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(nodes, features, generator=generator)
    edge_index = torch.randint(nodes, (2, edges), generator=generator)
    inputs = {"x": (x, 0)} | ({"edge_index": (edge_index, 1)} if by_edges else {})
    model = traced(
        module,
        inputs,
        "write its forward without branches on values; an attention layer that adds self-loops itself may do without "
        "(add_self_loops=False), with the same weights, where its edges hold them already",
    )
    add_whole_rows(model.graph)
    content: bytes = model.SerializeToString()
    return content


def traced(module: torch.nn.Module, inputs: Examples, advice: str) -> Any:
    """A module in evaluation mode as an ONNX model: of each named input an example, and its axis of any length.

    Raises:
        ExportError: torch's exporter refuses the module; its reason is in the message, and the advice.
    """
    needed("onnxscript")
    module.eval()
    try:
        with quiet(), torch.no_grad():
            model = _exported(module, inputs)
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, ImportError):
            raise ExportError(
                f"torch.onnx.export lacks a module ({cause}), which says nothing of {type(module).__name__}: "
                "pip install --upgrade 'graphstill[export]'"
            ) from error
        raise ExportError(
            f"torch.onnx.export refuses {type(module).__name__}{layer_of(error)} ({type(error).__name__}: "
            f"{first_line(cause)}): {advice}"
        ) from error
    name_nodes(model.graph)
    count_axes_from_the_front(model)
    # Shapes that the exporter noted make quantisation fail; runtimes infer them anew. What else it noted are lines of
    # source by their paths on this machine.
    del model.graph.value_info[:]
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    return model


def _exported(module: torch.nn.Module, inputs: Examples) -> Any:
    """By torch's exporter in one go, or, where that fails, from a program that torch has captured before.

    The first takes no length for known, not even that there is an edge once every node has a self-loop, and refuses a
    layer that asks (GATConv). The second takes axes to be of two or more: whether that matters, parity tells.
    """
    examples = tuple(example for example, _ in inputs.values())
    shapes = tuple({axis: torch.export.Dim.DYNAMIC} for _, axis in inputs.values())
    options: dict[str, Any] = {
        "dynamo": True,
        "opset_version": OPSET,
        "external_data": False,
        "input_names": list(inputs),
        "output_names": ["logits"],
        "verbose": False,
    }
    try:
        program: Any = torch.onnx.export(module, examples, dynamic_shapes=shapes, **options)
    except torch.onnx.OnnxExporterError as first:
        if isinstance(first.__cause__, ImportError):
            raise
        try:
            captured = torch.export.export(module, examples, dynamic_shapes=shapes, strict=False)
            program = torch.onnx.export(captured, **options)
        except Exception:  # noqa: BLE001 - of two refusals the first is told
            raise first from first.__cause__
    return program.model_proto
