"""Modules that are not of the zoo as ONNX files, by torch's own exporter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from graphstill.deploy.extra import needed, onnx_module, quiet
from graphstill.deploy.onnx_graph import OPSET
from graphstill.errors import ExportError


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
        "write its forward without branches on values, and add self-loops outside of attention layers "
        "(add_self_loops=False)",
    )
    add_whole_rows(model.graph)
    content: bytes = model.SerializeToString()
    return content


def traced(module: torch.nn.Module, inputs: Mapping[str, tuple[torch.Tensor, int]], advice: str) -> Any:
    """A module in evaluation mode as an ONNX model: of each named input an example, and its axis of any length.

    Raises:
        ExportError: torch's exporter refuses the module; its reason is in the message, and the advice.
    """
    needed("onnxscript")
    dynamic = torch.export.Dim.DYNAMIC
    try:
        with quiet(), torch.no_grad():
            program: Any = torch.onnx.export(
                module.eval(),
                tuple(example for example, _ in inputs.values()),
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=list(inputs),
                output_names=["logits"],
                dynamic_shapes=tuple({axis: dynamic} for _, axis in inputs.values()),
                verbose=False,
            )
    except Exception as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise ExportError(
            f"torch.onnx.export refuses {type(module).__name__} ({type(error).__name__}: {reason}): {advice}"
        ) from error
    model = program.model_proto
    # Shapes that the exporter noted make quantisation fail; runtimes infer them anew. What else it noted are lines of
    # source by their paths on this machine.
    del model.graph.value_info[:]
    for part in (model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    return model


def add_whole_rows(graph: Any) -> int:
    """Sums over neighbours as ``ScatterND`` instead of ``ScatterElements``: see :mod:`graphstill.deploy.onnx_graph`.

    Only where the indices are one number a row, repeated along it: that is how PyG scatters. Returns how many.
    """
    onnx = onnx_module()
    made_by = {name: node for node in graph.node for name in node.output}
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
    nodes, count = [], 0
    for node in graph.node:
        rows = _repeated_rows(node, made_by, constants)
        if rows is not None:
            count += 1
            where, shape = f"graphstill_rows_{count}", f"graphstill_shape_{count}"
            reduction = next(a.s.decode() for a in node.attribute if a.name == "reduction")
            graph.initializer.append(onnx.helper.make_tensor(shape, onnx.TensorProto.INT64, [2], [-1, 1]))
            nodes.append(onnx.helper.make_node("Reshape", [rows, shape], [where]))
            nodes.append(
                onnx.helper.make_node(
                    "ScatterND", [node.input[0], where, node.input[2]], list(node.output), reduction=reduction
                )
            )
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    return count


def _repeated_rows(node: Any, made_by: dict[str, Any], constants: dict[str, Any]) -> str | None:
    """The name of the row numbers ``[edges, 1, ...]`` of a scatter over axis 0 that adds whole rows."""
    attributes = {a.name: a for a in node.attribute}
    if node.op_type != "ScatterElements" or "reduction" not in attributes or attributes["axis"].i != 0:
        return None
    expand = made_by.get(node.input[1])
    if expand is None or expand.op_type != "Expand":
        return None
    view = made_by.get(expand.input[0])
    if view is None or view.op_type != "Reshape":
        return None
    shape = constants.get(view.input[1])
    if shape is None or len(shape) < 2 or shape[0] != -1 or any(size != 1 for size in shape[1:]):
        return None
    return str(view.output[0])
