"""What is changed in a graph that torch's exporter wrote, so that onnxruntime computes the same, and faster."""

from __future__ import annotations

from typing import Any

from graphstill.deploy.extra import onnx_module

#: Where the axes are an input of these, and an attribute of the others.
REDUCTIONS = tuple(
    f"Reduce{kind}" for kind in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
)
POSITIONS = ("ArgMax", "ArgMin")


def count_axes_from_the_front(model: Any) -> int:
    """Axes of reductions as numbers from 0 up, returns of how many.

    Of a tensor without elements (the messages along no edges), onnxruntime takes the shape of the result from its axes
    without counting negative ones from the end: a sum of ``[0, 2, 4]`` over -1 stays ``[0, 2, 4]``. Axes from the front
    are right for any size. To be called while the exporter's shapes are still noted.
    """
    onnx, graph, count = onnx_module(), model.graph, 0
    ranks = _ranks(model)
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        rank = ranks.get(node.input[0]) if node.input else None
        if rank is None:
            continue
        if node.op_type in POSITIONS:
            for attribute in node.attribute:
                if attribute.name == "axis" and attribute.i < 0:
                    attribute.i += rank
                    count += 1
        axes = constants.get(node.input[1]) if node.op_type in REDUCTIONS and len(node.input) > 1 else None
        if axes is not None and (axes < 0).any():
            count += 1
            name = f"graphstill_axes_{count}"
            graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.INT64, axes.shape, axes % rank))
            node.input[1] = name
    return count


def _ranks(model: Any) -> dict[str, int]:
    """How many axes each tensor has, where that is known."""
    found = {c.name: len(c.dims) for c in model.graph.initializer}
    for port in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        if port.type.tensor_type.HasField("shape"):
            found[port.name] = len(port.type.tensor_type.shape.dim)
    return found


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
            nodes.append(onnx.helper.make_node("Reshape", [rows, shape], [where], name=f"{node.name}_rows"))
            scatter = onnx.helper.make_node(
                "ScatterND", [node.input[0], where, node.input[2]], list(node.output), node.name, reduction=reduction
            )
            nodes.append(scatter)
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
