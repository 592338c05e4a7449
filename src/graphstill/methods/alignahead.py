"""Alignahead: peers teach each other local structure, one layer apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import KERNELS, Bandwidth, Kernel, edge_similarity
from graphstill.method import Method, Needs, Peers, Reference, Step, View, register
from graphstill.method.checks import kernel_bandwidth, one_of, peers
from graphstill.ops import edge_log_softmax


def source_layer(layer: int, layers: int, shift: int) -> int:
    """The peer's layer that `layer` learns from; for shift ±1 one cycle through all layers, for 0 the same layer."""
    return (layer + shift) % layers


def cross_layer_structure(
    s: View, t: Peers, kernel: Kernel, bandwidth: Bandwidth, shift: int, learning: Tensor | None = None
) -> Tensor:
    """Σ_l KL(LS of the peer's source layer ‖ LS of layer l), mean over the other peers; -> [M].

    `learning` [R]: the members that learn in this step; the others' entries are zero and cost nothing. The mean over
    peers costs one term however many there are: mean_j KL(q_j ‖ p) = mean_j Σ q_j log q_j − Σ (mean_j q_j) log p.
    """
    layers, graph = len(s.hidden), s.graph
    if layers == 0:
        raise MethodError(
            "alignahead aligns hidden layers, but the students have none: use a network with at least two"
        )

    def log_structure(x: Tensor) -> Tensor:
        return edge_log_softmax(graph, edge_similarity(graph, x, kernel, bandwidth))

    rows = slice(None) if learning is None else learning
    mine = [log_structure(h.pre[rows]) for h in s.hidden]
    # The peers' view holds the same values without gradient: where all learn, theirs are these, detached.
    theirs = [x.detach() for x in mine] if learning is None else [log_structure(h.pre) for h in t.hidden]
    total = mine[0].new_zeros(len(mine[0]))
    for layer in range(layers):
        log_q = theirs[source_layer(layer, layers, shift)]
        q = log_q.exp()
        negative_entropy = t.mean_of_others((q * log_q).sum(-1))[rows]
        total = total + negative_entropy - (t.mean_of_others(q)[rows] * mine[layer]).sum(-1)
    total = total / (graph.degree() > 0).sum().clamp(min=1)
    return total if learning is None else total.new_zeros(len(s.logits)).index_copy(0, learning, total)


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

    >>> run = gs.distill(student, task, method=gs.Alignahead(), peers=2)
    """

    reference = (
        Reference(
            ("Guo", "others"),
            "Alignahead: Online Cross-Layer Knowledge Extraction on Graph Neural Networks",
            "IJCNN",
            2022,
            link="https://arxiv.org/abs/2205.02468",
            code="GuoJY-eatsTG/Alignahead",
            commit="cd9e691",
        ),
    )
    space = {"weight": (0.03, 0.1, 0.3, 1.0)}
    needs = Needs(peers=True, hidden=True, graph=True)
    updates = "alternating"

    shift: Literal[1, 0, -1] = 1
    kernel: Kernel = "negative_euclidean"
    bandwidth: Bandwidth = "mean"

    def __post_init__(self) -> None:
        one_of(self, (1, 0, -1), shift=self.shift)
        one_of(self, KERNELS, kernel=self.kernel)
        kernel_bandwidth(self, self.bandwidth)

    @classmethod
    def released(cls) -> Alignahead:
        return cls(shift=-1, kernel="laplace", bandwidth=100.0)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        return {"structure": cross_layer_structure(s, peers(t), self.kernel, self.bandwidth, self.shift, step.learning)}
