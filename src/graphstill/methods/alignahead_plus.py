"""Alignahead++: structure and features one layer apart, with deep supervision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from graphstill.errors import MethodError
from graphstill.losses import KERNELS, Bandwidth, Kernel, supervised
from graphstill.method import Method, Needs, Parts, Peers, Reference, Spec, Step, View, register
from graphstill.method.checks import kernel_bandwidth, not_negative, one_of, peers
from graphstill.methods.alignahead import cross_layer_structure
from graphstill.nn.layers import Linear, initialise


@register("alignahead++")
@dataclass(frozen=True)
class AlignaheadPlus(Method):
    """Alignahead, with the next layer's features too, and a classifier on every intermediate layer.

    Guo et al.: Online Cross-Layer Knowledge Distillation on Graph Neural Networks with Deep Supervision, Neural
    Computing and Applications, 2023 (arXiv 2210.13743). For hidden layers l = 1..L:

        L_k = CE(z_k, y) + auxiliary · Σ_{l<L} CE(C_k^{(l)}(h_k^{(l)}), y)
              + mean_{j≠k} [ structure · Σ_l KL(LS_j^{(l+1)} ‖ LS_k^{(l)})
                             + feature · Σ_{l<L} mean (h_k^{(l)} − h_j^{(l+1)})² ]

    Args:
        structure, feature, auxiliary: weights of the three terms, chosen on validation (Cora and CiteSeer).
        kernel, bandwidth: the similarity, see `losses.edge_similarity`.

    Shapes: hidden features before activation [M, N, D_l]; terms `structure`, `feature`, `auxiliary` of [M]. Where
    widths of neighbouring layers differ, a linear map on the student's side is learnt.

    Peers take turns by default, as in Alignahead.

    Deviations: no code was released and only the abstract's description was available; the form of the classifier
    (linear, dropped at inference), the distance (mean squared error), no wrap-around for features and the weights are
    this library's choices. With feature = auxiliary = 0 it is Alignahead with shift +1.

    >>> run = gs.distill(student, task, method=gs.AlignaheadPlus(), peers=2)
    """

    reference = (
        Reference(
            ("Guo", "others"),
            "Online Cross-Layer Knowledge Distillation on Graph Neural Networks with Deep Supervision",
            "Neural Computing and Applications",
            2023,
            link="https://doi.org/10.1007/s00521-023-08900-7",
            journal=True,
        ),
    )
    space = {"structure": (0.1, 0.3, 1.0), "feature": (0.1, 0.3, 1.0), "auxiliary": (1.0, 3.0)}
    needs = Needs(peers=True, hidden=True, graph=True)
    updates = "alternating"

    structure: float = 0.1
    feature: float = 3.0
    auxiliary: float = 3.0
    kernel: Kernel = "negative_euclidean"
    bandwidth: Bandwidth = "mean"

    def __post_init__(self) -> None:
        not_negative(self, structure=self.structure, feature=self.feature, auxiliary=self.auxiliary)
        one_of(self, KERNELS, kernel=self.kernel)
        kernel_bandwidth(self, self.bandwidth)

    def build(self, spec: Spec) -> Parts:
        widths = spec.widths
        if not widths:
            raise MethodError("alignahead++ aligns hidden layers, but the students have none: use two layers or more")
        joint = nn.ModuleDict()
        for i, width in enumerate(widths[:-1]):
            if self.auxiliary > 0:
                joint[f"classifier{i}"] = Linear(spec.members, width, spec.outputs)
            if self.feature > 0 and width != widths[i + 1]:
                joint[f"adapter{i}"] = Linear(spec.members, width, widths[i + 1])
        initialise(joint, spec.seeds)
        return Parts(joint=joint if len(joint) else None)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        group, joint = peers(t), step.parts.joint
        modules: dict[str, nn.Module] = dict(joint.named_children()) if joint is not None else {}
        named: dict[str, Tensor] = {}
        if self.structure > 0:
            named["structure"] = self.structure * cross_layer_structure(
                s, group, self.kernel, self.bandwidth, 1, step.learning
            )
        if len(s.hidden) < 2:
            return named
        if self.feature > 0:
            mapped = [
                modules[f"adapter{i}"](h.pre) if f"adapter{i}" in modules else h.pre for i, h in enumerate(s.hidden)
            ]
            named["feature"] = self.feature * _next_layer_distance(mapped, group)
        if self.auxiliary > 0:
            y = step.batch.y.index_select(0, step.batch.train_rows)
            heads = [modules[f"classifier{i}"](step.rows(h.pre, "train")) for i, h in enumerate(s.hidden[:-1])]
            losses = [supervised(logits, y, step.batch.multi_label) for logits in heads]
            named["auxiliary"] = self.auxiliary * sum(losses[1:], losses[0])
        return named


def _next_layer_distance(features: Sequence[Tensor], group: Peers) -> Tensor:
    """Σ_l mean over nodes and channels of (h^{(l)} − the peer's h^{(l+1)})², mean over the other peers; -> [M]."""

    def from_peer(other: Callable[[Tensor], Tensor]) -> Tensor:
        distances = [
            (mine - other(group.hidden[i + 1].pre)).square().mean((1, 2)) for i, mine in enumerate(features[:-1])
        ]
        return sum(distances[1:], distances[0])

    return group.mean_over_others(from_peer)
