"""GNN-SD: a network teaches its deep layers not to smooth away what its shallow ones told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import AGGREGATES, Aggregate, discrepancy_retention, neighbourhood_discrepancy
from graphstill.method import Method, Needs, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of


@register("gnn-sd")
@dataclass(frozen=True)
class GNNSD(Method):
    """Each layer keeps the neighbourhood discrepancy of the layer before it, from the most discerning layer on.

    Chen et al.: On Self-Distilling Graph Neural Network, IJCAI 2021: neighbourhood discrepancy rate (NDR) and adaptive
    discrepancy retaining (ADR). No teacher and no other peer is needed.

        S_i^{(l)} = 1 − cos(h_i^{(l)}, (Â h^{(l)})_i),   l* = argmax_{l < L} ‖S^{(l)}‖
        L = CE(z, y) + beta · Σ_{l = l*}^{L−1} 1[‖S^{(l+1)}‖ < ‖S^{(l)}‖] · mean_i (S_i^{(l+1)} − sg S_i^{(l)})²

    Gradient reaches the deeper layer of each pair only. Where discrepancy grows from layer to layer, the loss is 0.

    Assumes that what sets a node apart from its neighbours is worth keeping while layers smooth it away.

    Args:
        beta: weight.
        output: whether the output layer's logits are the last of the layers, where they are by node. A network of two
            layers needs them.
        feature: hidden features before ("pre") or after ("post") the activation.
        aggregate: Â, "mean" (to a cosine the same as the plain sum) or "gcn", symmetric.
        self_loops: whether a node belongs to its neighbourhood.
        norm: "l1" or "l2", of the comparison between layers.
        reduction: over the nodes in the squared distance: "mean", the library's convention, or "sum".

    Shapes: hidden features [M, N, D_l] of any widths; S [M, N]; one term `discrepancy` of [M].

    Deviations: there is no official code, and the equations are from secondary sources: what those leave open is an
    option above, with defaults of this library. Of the paper's framework only ADR is here: neither the soft labels for
    shallow layers nor the read-outs of graph classification.

    >>> run = gs.distill(student, task, method=gs.GNNSD(beta=1.0))
    """

    reference = (
        Reference(
            ("Chen", "Bian", "Xiao", "Rong", "Xu", "Huang"),
            "On Self-Distilling Graph Neural Network",
            "IJCAI",
            2021,
            link="https://arxiv.org/abs/2011.02255",
        ),
    )
    space = {"beta": (0.03, 0.1, 0.3, 1.0)}
    needs = Needs(hidden=True, graph=True)

    beta: float = 1.0
    output: bool = True
    feature: Literal["pre", "post"] = "pre"
    aggregate: Aggregate = "mean"
    self_loops: bool = False
    norm: Literal["l1", "l2"] = "l2"
    reduction: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        not_negative(self, beta=self.beta)
        one_of(self, (True, False), output=self.output, self_loops=self.self_loops)
        one_of(self, ("pre", "post"), feature=self.feature)
        one_of(self, AGGREGATES, aggregate=self.aggregate)
        one_of(self, ("l1", "l2"), norm=self.norm)
        one_of(self, ("mean", "sum"), reduction=self.reduction)

    def build(self, spec: Spec) -> Parts:
        layers = len(spec.widths) + (self.output and spec.item != "graph")
        if layers < 2:
            raise MethodError(
                f"gnn-sd compares neighbouring layers, but output={self.output} leaves {layers} of this student: set "
                f"output to true, or use a deeper network"
            )
        return Parts()

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        graph = s.graph.with_self_loops() if self.self_loops else s.graph
        layers = [h.pre if self.feature == "pre" else h.post for h in s.hidden]
        if self.output and step.batch.graphs is None:
            layers.append(s.logits)
        graphs = None if step.batch.graphs is None else s.graph.groups
        levels = [neighbourhood_discrepancy(graph, x, self.aggregate) for x in layers]
        return {"discrepancy": self.beta * discrepancy_retention(levels, self.norm, self.reduction, graphs)}
