"""Holistic knowledge distillation: a sample and its neighbours among the samples, in one contrasted embedding."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import bank_contrast, unit
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import one_of, positive, share, teacher
from graphstill.method.parts.holistic import Holistic, Memory, Visit, mean_of_rows, nearest_predictions
from graphstill.method.sampling import PLACES, Place, Sampler, counts, hidden, widths
from graphstill.nn.layers import initialise
from graphstill.ops import Noise, spmm


@register("hkd")
@dataclass(frozen=True)
class HKD(Method):
    """A sample's embedding, alone and with its neighbours', finds the other network's memory of it among all others.

    Zhou et al.: Distilling Holistic Knowledge with Graph Neural Networks, ICCV 2021. With linear embeddings e of length
    1, the k samples of the batch with the nearest predictions (itself one of them), and a memory M of each network:

        g_i = U [e_i ; mean of e over the k nearest] + c, at length 1
        m_i = 0.75 M_i + 0.25 g_i, at length 1
        ℓ(a, p) = −log exp(a·p / τ) / ( exp(a·p / τ) + Σ_{j of other classes} exp(a·M_j / τ) )
        L = mean_i [ ℓ(e_i^s, M_i^t) + ℓ(e_i^t, M_i^s) + ℓ(g_i^s, m_i^t) + ℓ(g_i^t, m_i^s) ]

    After each step the batch's entries move: M ← m M + (1 − m) e, at length 1.

    Args:
        k: neighbours of a sample, itself counted. A batch of fewer has the terms of e alone and leaves the memory.
        width: width of the embeddings.
        temperature: τ.
        momentum: m; null = 0.9, and 0 where one batch holds everything: the memory is then the step before.
        blend: share of the memory in m_i.
        negatives: "cross": rows of the network's memory that the positive is from; "same": of the anchor's own.
        sample: negatives drawn in each step, for each run its own; null = all, exactly, in blocks.
        neighbours: "predictions", or the "edges" of the graph, with a loop at each node.
        memory: a row before its sample's first visit: its embedding at that visit ("first") or noise ("random").
        layer, teacher_layer: hidden layer of the student and of the teacher, counted from the first (0) or last (−1).
        place: features before activation ("pre"), after it ("post"), or after dropout ("dropped").
        nodes: anchors and memory of "train" or "all" nodes of the batch.

    Shapes: hidden features [M, N, D_s] and [M or 1, N, D_t]; terms `node` and `graph` of [M], each 2 log(K + 1) where
    all scores are equal. Published weight of their sum: 3. The memory takes 2 · M · samples · width numbers.

    Deviations: all rows are negatives instead of 16384 for each anchor, of samples that training has visited only;
    memories start with embeddings; a row of length 0 stays 0. Graphs are our extension: a node is a sample, its class
    is its training label, or where it has none what the teacher says; with multi-label every other node is a negative.
    `released`: negatives of the same network, 16384 for all anchors of a step, memories of noise.

    >>> run = gs.distill(student, task, teacher=teacher, method=gs.KD(temperature=4.0, alpha=None) + 3 * gs.HKD())
    """

    reference = (
        Reference(
            ("Zhou", "Wang", "Chen", "Chen", "Wang", "Wang", "Bu"),
            "Distilling Holistic Knowledge with Graph Neural Networks",
            "ICCV",
            2021,
            link="https://arxiv.org/abs/2108.05507",
            code="wyc-ruiker/HKD",
            commit="9434fd8",
        ),
    )
    space = {"weight": (0.01, 0.03, 0.1, 0.3)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True)

    k: int = 8
    width: int = 128
    temperature: float = 0.07
    momentum: float | None = None
    blend: float = 0.75
    negatives: Literal["cross", "same"] = "cross"
    sample: int | None = None
    neighbours: Literal["predictions", "edges"] = "predictions"
    memory: Literal["first", "random"] = "first"
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"
    nodes: Nodes = "all"

    def __post_init__(self) -> None:
        counts(self, k=self.k, width=self.width, sample=self.sample)
        positive(self, temperature=self.temperature)
        share(self, blend=self.blend, **({} if self.momentum is None else {"momentum": self.momentum}))
        one_of(self, ("cross", "same"), negatives=self.negatives)
        one_of(self, ("predictions", "edges"), neighbours=self.neighbours)
        one_of(self, ("first", "random"), memory=self.memory)
        one_of(self, PLACES, place=self.place)
        one_of(self, ("all", "train"), nodes=self.nodes)

    @classmethod
    def released(cls) -> HKD:
        return cls(negatives="same", sample=16384, memory="random")

    def build(self, spec: Spec) -> Parts:
        if spec.item == "graph" and self.neighbours != "predictions":
            raise MethodError(
                f"hkd with neighbours={self.neighbours!r} on whole graphs, which have no edges between them: use "
                "neighbours='predictions'"
            )
        joint = Holistic(spec.members, *widths(spec, self.layer, self.teacher_layer), self.width)
        initialise(joint, spec.seeds)
        banks = torch.zeros(spec.members, 2, spec.num_items, self.width)
        if self.memory == "random":
            # On the CPU, so that all devices start from the same memory; of length 1 in the mean.
            banks = (2 * Noise(spec.seeds).uniform(tuple(banks.shape[1:])) - 1) * math.sqrt(3 / self.width)
        state = {"student": banks[:, 0].to(spec.device), "teacher": banks[:, 1].to(spec.device)}
        state["classes"] = torch.full((spec.members, spec.num_items), -1, device=spec.device)
        momentum = self.momentum if self.momentum is not None else 0.0 if spec.full else 0.9
        return Parts(joint=joint, state=state, options={"sampler": Sampler(spec.seeds, "hkd"), "momentum": momentum})

    def _embeddings(self, s: View, t: View, step: Step) -> tuple[Holistic, Tensor, Tensor]:
        joint = step.parts.joint
        assert isinstance(joint, Holistic)
        student, target = hidden(s, self.layer, self.place), hidden(t, self.teacher_layer, self.place, "teacher")
        if step.batch.graphs is not None:
            student, target = step.rows(student, "all"), step.rows(target, "all")
        return joint, *joint.embed(student, target)

    def _visit(self, s: View, t: View, step: Step, e_s: Tensor, e_t: Tensor) -> Visit:
        if step.batch.multi_label:
            classes = s.items.expand(len(e_s), -1)
        else:
            classes = t.logits.argmax(-1).expand(len(e_s), -1).clone()
            classes[:, step.batch.train_rows] = step.batch.y[step.batch.train_rows]
        ids = step.rows(s.items.unsqueeze(0), self.nodes)[0]
        return Visit(ids, *(step.rows(x, self.nodes) for x in (classes, e_s, e_t)))

    def _alone(self, s: View) -> bool:
        """Whether the batch is too small to have neighbours in."""
        return self.neighbours == "predictions" and s.logits.shape[1] < self.k

    def _around(self, e: Tensor, view: View, step: Step) -> Tensor:
        if self.neighbours == "predictions":
            return mean_of_rows(e, nearest_predictions(view.logits, self.k, step.batch.multi_label))
        graph = view.graph.with_self_loops()
        return spmm(graph, graph.mean_weights(e.dtype), e)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        t = teacher(t)
        joint, e_s, e_t = self._embeddings(s, t, step)
        visit = self._visit(s, t, step, e_s, e_t)
        own = [[visit.student], [visit.teacher]]
        if not self._alone(s):
            own[0].append(step.rows(joint.student(e_s, self._around(e_s, s, step)), self.nodes))
            own[1].append(step.rows(joint.teacher(e_t, self._around(e_t, t, step)), self.nodes))
        memory = Memory(**step.parts.state).with_new(visit, self.memory == "first")
        noise = memory.drawn(step.parts.options["sampler"], step.at.number, self.sample)
        total: list[Tensor] = []
        for this, other in ((0, 1), (1, 0)):
            kept = memory[other][:, visit.ids]
            blends = [unit(self.blend * kept + (1 - self.blend) * g.detach()) for g in own[other][1:]]
            anchors, partners = torch.stack(own[this]), torch.stack([kept, *blends])
            bank = noise[other if self.negatives == "cross" else this]
            total.append(bank_contrast(anchors, partners, bank, visit.classes, noise.classes, self.temperature))
        return dict(zip(("node", "graph"), total[0] + total[1], strict=False))

    def after_step(self, s: View, t: View | None, step: Step) -> None:
        if not self._alone(s):
            t = teacher(t)
            visit = self._visit(s, t, step, *self._embeddings(s, t, step)[1:])
            Memory(**step.parts.state).move(visit, self.memory == "first", step.parts.options["momentum"])
