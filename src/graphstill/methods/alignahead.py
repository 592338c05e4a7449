"""Alignahead: peers teach each other local structure, one layer apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import KERNELS, Bandwidth, Kernel, edge_similarity, local_structure_kl
from graphstill.methods.checks import one_of, peers, positive
from graphstill.methods.method import Method, Needs, Step, register
from graphstill.methods.views import Peers, View


def source_layer(layer: int, layers: int, shift: int) -> int:
    """The peer's layer that `layer` learns from; for shift ±1 one cycle through all layers, for 0 the same layer."""
    return (layer + shift) % layers


def cross_layer_structure(s: View, t: Peers, kernel: Kernel, bandwidth: Bandwidth, shift: int) -> Tensor:
    """Σ_l KL(LS of the peer's source layer ‖ LS of layer l), mean over the other peers; -> [M]."""
    layers = len(s.hidden)
    if layers == 0:
        raise MethodError(
            "alignahead aligns hidden layers, but the students have none: use a network with at least two"
        )
    student = [edge_similarity(s.graph, h.pre, kernel, bandwidth) for h in s.hidden]
    # The peers' view holds the same values without gradient, so their similarities are these, detached.
    target = [x.detach() for x in student]

    def from_peer(other: Callable[[Tensor], Tensor]) -> Tensor:
        kl = [
            local_structure_kl(s.graph, other(target[source_layer(i, layers, shift)]), student[i])
            for i in range(layers)
        ]
        total = kl[0]
        for term in kl[1:]:
            total = total + term
        return total

    return t.mean_over_others(from_peer)


@register("alignahead")
@dataclass(frozen=True)
class Alignahead(Method):
    """Every layer of a student takes over the local structure of the next layer of each peer.

    Guo et al.: Alignahead: Online Cross-Layer Knowledge Extraction on Graph Neural Networks, IJCNN 2022.

        L_k = CE(z_k, y) + mean_{j≠k} Σ_l mean_i KL(LS_j^{(l+shift)}(i) ‖ LS_k^{(l)}(i))

    Layer numbers wrap around, so that structure travels through all depths over alternating updates.

    Args:
        shift: +1 learns from the next layer (the authors' figure and the name); −1 from the previous (the released
            code); 0 from the same layer (the "OC" control).
        kernel, bandwidth: the similarity, see `losses.edge_similarity`.

    Shapes: hidden features before activation, [M, N, D], of all hidden layers; one term `structure` of [M]. Widths of
    layers may differ, their number may not.

    Peers take turns by default: a pass over the data for each peer, the others frozen at their newest weights.

    Deviations: each peer starts from its own weights; the released code copies one, so that only the alternation
    separates them. The default kernel negates the distance (see LSP). The mean is over nodes with a neighbour.
    `released`: shift −1 and exp(−‖·‖₁ / 100). Its threshold of 0.5 on multi-label logits is not reproduced: 0 is used.
    """

    needs = Needs(peers=True, hidden=True)
    updates = "alternating"

    shift: Literal[1, 0, -1] = 1
    kernel: Kernel = "negative_euclidean"
    bandwidth: Bandwidth = "median"

    def __post_init__(self) -> None:
        one_of(self, (1, 0, -1), shift=self.shift)
        one_of(self, KERNELS, kernel=self.kernel)
        if self.bandwidth != "median":
            positive(self, bandwidth=self.bandwidth)

    @classmethod
    def released(cls) -> Alignahead:
        return cls(shift=-1, kernel="laplace", bandwidth=100.0)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        return {"structure": cross_layer_structure(s, peers(t), self.kernel, self.bandwidth, self.shift)}
