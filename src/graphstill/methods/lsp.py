"""Local structure preserving distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from graphstill.losses import KERNELS, Bandwidth, Kernel, edge_similarity, local_structure_kl
from graphstill.method import Method, Needs, Reference, Step, View, register
from graphstill.method.checks import kernel_bandwidth, one_of, positive, teacher
from graphstill.nn.output import Hidden
from graphstill.ops import Adjacency


@register("lsp")
@dataclass(frozen=True)
class LSP(Method):
    """Every node keeps the distribution of similarities to its neighbours that it has in the teacher.

    Yang, Qiu, Song, Tao, Wang: Distilling Knowledge from Graph Convolutional Networks, CVPR 2020, section 3.

        LS_ij = softmax over the neighbours j of i of SIM(h_i, h_j),   L = mean_i KL(LS^t_i ‖ LS^s_i)

    Only scalar similarities are compared, so widths may differ.

    Assumes that a node is similar to some neighbours more than to others for a reason. Where neighbours differ in
    class, nearness to them is what a student had better not learn.

    Args:
        kernel: the similarity, see `losses.edge_similarity`. The default is a negated squared distance with a
            bandwidth from the data.
        bandwidth: σ, or "mean" or "median": that of the distances over edges, of each network for itself.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        direction: "target" = KL(teacher ‖ student), "student" = KL(student ‖ teacher), as the paper writes it.
        self_loops: whether a node is its own neighbour (the released code: yes).
        last_epoch: switch the term off after this share of the distillation phase (1 = never).

    Shapes: hidden features before activation [M, N, D]; edge similarities [M, E]; one term `structure` of [M].

    Deviations: the paper's kernels are a distance used as a similarity without a minus sign, or an RBF inside the
    softmax, whose values in (0, 1] make the target nearly uniform and bound the loss per node by 2: with wide features
    its gradient vanishes. Both remain available; the default negates the distance. The mean is over nodes that have
    a neighbour; the released code counts all nodes. `released`: exp(−‖·‖₁ / 100) with self-loops, KL(teacher ‖
    student), weight 1, active for the first 30 of 500 epochs.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + 100 * gs.LSP(kernel="laplace"))
    """

    reference = (
        Reference(
            ("Yang", "Qiu", "Song", "Tao", "Wang"),
            "Distilling Knowledge from Graph Convolutional Networks",
            "CVPR",
            2020,
            link="https://arxiv.org/abs/2003.10477",
            code="ihollywhy/DistillGCN.PyTorch",
            commit="0c4c9b8",
        ),
    )
    space = {"weight": (10.0, 30.0, 100.0), "kernel": ("negative_euclidean", "rbf")}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True, graph=True)

    kernel: Kernel = "negative_euclidean"
    bandwidth: Bandwidth = "mean"
    layer: int = -1
    teacher_layer: int = -1
    direction: Literal["target", "student"] = "target"
    self_loops: bool = False
    last_epoch: float = 1.0

    def __post_init__(self) -> None:
        one_of(self, KERNELS, kernel=self.kernel)
        one_of(self, ("target", "student"), direction=self.direction)
        kernel_bandwidth(self, self.bandwidth)
        positive(self, last_epoch=self.last_epoch)

    @classmethod
    def released(cls) -> LSP:
        return cls(kernel="laplace", bandwidth=100.0, self_loops=True, last_epoch=30 / 500)

    def ramp(self, progress: float) -> float:
        return 1.0 if progress < self.last_epoch else 0.0

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        student, target = self._similarity(s, s.layer(self.layer)), teacher(t).once(self._target)
        return {"structure": local_structure_kl(self._edges(s), target, student, self.direction)}

    def _target(self, t: View) -> Tensor:
        return self._similarity(t, t.layer(self.teacher_layer, "teacher")).detach()

    def _similarity(self, view: View, layer: Hidden) -> Tensor:
        return edge_similarity(self._edges(view), layer.pre, self.kernel, self.bandwidth)

    def _edges(self, view: View) -> Adjacency:
        return view.graph.with_self_loops() if self.self_loops else view.graph
