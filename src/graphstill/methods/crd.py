"""Contrastive representation distillation, with a memory of all nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphstill.losses import log_normaliser, noise_contrastive, take, unit
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, positive, teacher
from graphstill.method.items import by_graph
from graphstill.method.parts.projection import Embeddings
from graphstill.method.sampling import PLACES, Place, Sampler, counts, hidden, widths
from graphstill.nn.layers import initialise
from graphstill.ops import Noise


@register("crd")
@dataclass(frozen=True)
class CRD(Method):
    """A student's node is told from noise by the memory of the teacher's node, and the other way round.

    Tian, Krishnan, Isola: Contrastive Representation Distillation, ICLR 2020, section 3. With embeddings u of the
    student and v of the teacher, linear and of length 1, and a memory bank of each over all nodes:

        P(a, b) = exp(a·b / τ) / Z,  c = K / N
        ℓ(a, bank) = −log P⁺ / (P⁺ + c) − Σ_{k=1..K} log c / (P_k + c),   L = mean_i [ ℓ(u_i, bank_v) + ℓ(v_i, bank_u) ]

    P⁺ is with the node's own entry, P_k with K others, drawn at random of those that training sees. Z is estimated
    once, before the first step. After each step the entries of the anchors move: b ← (m b + (1 − m) u) / ‖·‖.

    Assumes nothing of neighbours; that what tells items apart in the teacher's features is worth having.

    Args:
        temperature: τ.
        width: width of the embeddings.
        negatives: K, nodes drawn in each step, for each run its own; all where there are fewer.
        samples: anchors drawn in each step; null = all nodes of the batch.
        momentum: m.
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: draw anchors from "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t], of any widths; one term `contrast` of [M], near 2 (log K +
    1) at the start; its natural weight is 0.01 to 1. Banks take 2 · M · nodes · width numbers. Maps [M, N, C, H, W]
    count as one vector an image.

    Deviations: a node of the task stands for an image of the data set. The negatives of a step are shared by its
    anchors and distinct, which leaves the mean as it is and replaces a gather by a product; the bank follows the
    embeddings just after the step; embeddings are trained by the student's optimiser. `released` is RepDistiller: K =
    16384 and 64 anchors a step; its scripts multiply by 0.8.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD() + 0.1 * gs.CRD())
    """

    reference = (
        Reference(
            ("Tian", "Krishnan", "Isola"),
            "Contrastive Representation Distillation",
            "ICLR",
            2020,
            link="https://arxiv.org/abs/1910.10699",
            code="HobbitLong/RepDistiller",
            commit="b84f547",
        ),
    )
    space = {"weight": (0.01, 0.1, 1.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    temperature: float = 0.07
    width: int = 128
    negatives: int = 4096
    samples: int | None = 512
    momentum: float = 0.5
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        positive(self, temperature=self.temperature)
        counts(self, width=self.width, negatives=self.negatives, samples=self.samples)
        not_negative(self, momentum=self.momentum)
        if self.momentum >= 1:
            one_of(self, ("a number from 0 to below 1",), momentum=self.momentum)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> CRD:
        return cls(negatives=16384, samples=64)

    def build(self, spec: Spec) -> Parts:
        joint = Embeddings(spec.members, *widths(spec, self.layer, self.teacher_layer), self.width)
        initialise(joint, spec.seeds)
        joint.to(spec.device)
        options: dict[str, Any] = {name: Sampler(spec.seeds, f"crd {name}") for name in ("anchors", "noise")}
        options["seen"] = spec.seen
        partners = spec.num_items if spec.seen is None else len(spec.seen)
        # On the CPU, so that all devices start from the same banks.
        banks = unit(Noise(spec.seeds).normal((2, spec.num_items, self.width))).to(spec.device)
        state = {"student": banks[:, 0].clone(), "teacher": banks[:, 1].clone()}
        parts = Parts(joint=joint, state=state, options=options)
        assert spec.teacher is not None
        own = getattr(spec.student.hidden[self.layer], self.place).flatten(2)
        target = hidden(spec.teacher, self.teacher_layer, self.place, "teacher")
        if spec.item == "graph":
            own, target = by_graph(own, spec.graph), by_graph(target, spec.graph)
        with torch.no_grad():
            u, v = joint(own, target)
            noise = self._noise(parts, 0)
            for name, anchor, bank in (("log_z_student", u, "teacher"), ("log_z_teacher", v, "student")):
                drawn = options["anchors"].draw(0, anchor.shape[1], self.samples, spec.device)
                negatives = take(state[bank], noise)
                state[name] = log_normaliser(take(anchor, drawn), negatives, partners, self.temperature)
        return parts

    def _noise(self, parts: Parts, number: int) -> Tensor | None:
        """Entries to draw as noise, int64 [M, K], or None for all: of nodes or images that training sees, no other."""
        seen, bank = parts.options["seen"], parts.state["student"]
        count = bank.shape[1] if seen is None else len(seen)
        drawn: Tensor | None = parts.options["noise"].draw(number, count, self.negatives, bank.device)
        if seen is None:
            return drawn
        return seen.expand(len(bank), -1) if drawn is None else seen[drawn]

    def _anchors(self, s: View, t: View | None, step: Step) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings of student and teacher [M, B, W] of this step's anchors, and their nodes in the task [M, B]."""
        student = step.rows(hidden(s, self.layer, self.place), self.nodes)
        target = step.rows(hidden(teacher(t), self.teacher_layer, self.place, "teacher"), self.nodes)
        ids = step.rows(s.items.unsqueeze(0), self.nodes).expand(len(student), -1)
        drawn = step.parts.options["anchors"].draw(step.at.number, student.shape[1], self.samples, student.device)
        assert step.parts.joint is not None
        u, v = step.parts.joint(take(student, drawn), take(target, drawn))
        return u, v, ids if drawn is None else ids.gather(1, drawn)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        u, v, ids = self._anchors(s, t, step)
        state, drawn = step.parts.state, self._noise(step.parts, step.at.number)
        total = torch.zeros((), device=u.device)
        for name, anchor, bank in (("log_z_student", u, "teacher"), ("log_z_teacher", v, "student")):
            positive, noise = take(state[bank], ids), take(state[bank], drawn)
            seen = step.parts.options["seen"]
            nodes = state[bank].shape[1] if seen is None else len(seen)
            total = total + noise_contrastive(anchor, positive, noise, state[name], nodes, self.temperature)
        return {"contrast": total}

    def after_step(self, s: View, t: View | None, step: Step) -> None:
        u, v, ids = self._anchors(s, t, step)
        members = torch.arange(len(u), device=u.device)[:, None]
        for bank, new in (("student", u), ("teacher", v)):
            kept = step.parts.state[bank]
            kept[members, ids] = unit(self.momentum * kept[members, ids] + (1 - self.momentum) * new)
