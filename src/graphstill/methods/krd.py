"""KRD: a student learns from those neighbours about which the teacher does not waver."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.losses import agreement_by_bin, fit_exponent, neighbour_kl
from graphstill.method import Method, Needs, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import positive, share, teacher
from graphstill.ops import Noise

#: Stream of the members' seeds from which edges are sampled.
EDGES = 11


@register("krd")
@dataclass(frozen=True)
class KRD(Method):
    """A student learns the teacher's outputs at its neighbours, sampled by how reliable they are.

    Wu, Lin, Huang, Li: Quantifying the Knowledge in GNNs for Reliable Distillation into MLPs, ICML 2023.

        δ_i = |H(p^t_i(x + ε)) − H(p^t_i(x))|, ε ~ N(0, 1),   ρ_i = δ_i / max δ
        edge j→i is kept with probability 1 − ρ_j^a; self-loops always
        L = λ CE(z^s, y) + (1 − λ) mean over kept edges of KL(softmax(z^t_j / τ) ‖ softmax(z^s_i / τ))

    The exponent a is that of the curve 1 − ρ^a fitted to how often student and teacher agree at nodes of reliability
    ρ, and follows it as a running mean. Without edges this is GLNN.

    Assumes that neighbours are of one class: a neighbour's output is a target as good as a node's own, however reliable
    the teacher is there.

    Args:
        labels: λ in [0, 1].
        temperature: τ; no τ².
        start: the first epoch, counted from 1, in which edges are sampled. Before it all of them count.
        exponent: a, to start from.
        momentum: of the running mean of a.
        bins: of the histogram of agreement over ρ.
        bin_offset: where a bin's value of ρ is measured, in bins from its left edge.

    Shapes: logits [M, N, C], ρ [1 or M, N]; one term `soft` of [M]. Each member samples its own edges and fits
    its own a.

    The teacher must be a trained run or module: an array of logits cannot be asked about x + ε.

    Deviations: agreement is that of the outputs of the training pass, after the step that they led to; released: an
    evaluation pass. Multi-label tasks: agreement is the share of equal labels, entropy that of independent labels.
    `released`: a bin offset of 0.05, the middle of 10 bins where there are 50. Its momentum is 0.9 on Arxiv, where it
    also samples every tenth epoch only. Its hyper-parameters were tuned on test accuracy: none is a default here.

    >>> run = gs.distill(gs.models.MLP(hidden=16), task, teacher=teacher, method=gs.KRD())
    """

    reference = (
        Reference(
            ("Wu", "Lin", "Huang", "Li"),
            "Quantifying the Knowledge in GNNs for Reliable Distillation into MLPs",
            "ICML",
            2023,
            link="https://arxiv.org/abs/2306.05628",
            code="LirongWu/KRD",
            commit="32be7e4",
        ),
    )
    space = {"temperature": (0.8, 1.0, 1.2)}
    needs = Needs(teacher=True, teacher_sensitivity=True, graph=True)
    only_nodes = "it weighs each node by how reliable its neighbours' predictions are"

    labels: float = 0.0
    temperature: float = 1.0
    start: int = 50
    exponent: float = 1.0
    momentum: float = 0.99
    bins: int = 50
    bin_offset: float = 0.5

    def __post_init__(self) -> None:
        share(self, labels=self.labels, momentum=self.momentum)
        positive(self, temperature=self.temperature, start=self.start, exponent=self.exponent, bins=self.bins)
        positive(self, bin_offset=self.bin_offset)

    @classmethod
    def released(cls) -> KRD:
        return cls(bin_offset=0.05 * 50)

    def supervision(self, progress: float) -> float:
        return self.labels

    def build(self, spec: Spec) -> Parts:
        delta = spec.teacher_sensitivity
        assert delta is not None
        # Rows of nodes that training may not see are NaN: they are never asked for.
        highest = delta.nan_to_num(0.0).amax(1, keepdim=True).clamp(min=1e-12)
        state = {"exponent": torch.full((spec.members,), self.exponent, device=spec.device)}
        return Parts(state=state, options={"rho": delta / highest, "noise": Noise(spec.seeds, spec.device, EDGES)})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        graph, kept = s.graph.with_self_loops(), None
        if step.at.epoch + 1 >= self.start:
            draw = step.parts.options["noise"].at(step.at.number).uniform((graph.num_edges,), s.logits.dtype)
            rho = step.parts.options["rho"][:, s.nodes]
            chance = 1 - rho ** step.parts.state["exponent"].unsqueeze(1)
            kept = (draw < chance.index_select(1, graph.source)).to(s.logits.dtype)
            kept[:, graph.loops] = 1
        soft = neighbour_kl(graph, teacher(t).logits, s.logits, self.temperature, step.batch.multi_label, kept)
        return {"soft": (1.0 - self.labels) * soft}

    def after_step(self, s: View, t: View | None, step: Step) -> None:
        if step.at.epoch + 2 < self.start:
            return
        known = teacher(t).logits
        if step.batch.multi_label:
            agreement = ((s.logits > 0) == (known > 0)).to(s.logits.dtype).mean(-1)
        else:
            agreement = (s.logits.argmax(-1) == known.argmax(-1)).to(s.logits.dtype)
        rate = agreement_by_bin(agreement, step.parts.options["rho"][:, s.nodes], self.bins)
        low, high = rate.amin(1, keepdim=True), rate.amax(1, keepdim=True)
        x = (torch.arange(self.bins, dtype=rate.dtype, device=rate.device) + self.bin_offset) / self.bins
        fitted = fit_exponent(x, (rate - low) / (high - low).clamp(min=1e-12))
        # Where all bins are alike there is no curve to fit.
        exponent = step.parts.state["exponent"]
        exponent.lerp_(torch.where((high > low).squeeze(1), fitted, exponent), 1 - self.momentum)
