"""NOSMOG: GLNN, the teacher's similarities, and features moved to where the student is weakest."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.losses import adversarial_offset, gram_distance, soft_target_kl, take
from graphstill.method import Method, Needs, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, positive, share, teacher
from graphstill.nn.layers import Linear, initialise
from graphstill.ops import Noise, SparseFeatures

#: Streams of the members' seeds: dropout of the map, and what is perturbed from where.
DROPPED, PERTURBED = 12, 13


@register("nosmog")
@dataclass(frozen=True)
class NOSMOG(Method):
    """A student without a graph learns the teacher's outputs and similarities, also on perturbed features.

    Tian, Zhang, Guo, Zhang, Chawla: Learning MLPs on Graphs: A Unified View of Effectiveness, Robustness, and
    Efficiency, ICLR 2023. Its first part, position features, belongs to the data: load the task with `positions: 64`
    (`NodeTask.with_positions`). With h the last hidden layer before activation and m^s = dropout(ReLU(W h^s + b)):

        L = λ CE(z^s, y) + (1 − λ) [ KL(softmax(z^t) ‖ softmax(z^s)) + similarity_weight · mean over pairs of nodes of
            (h^t_i·h^t_j − m^s_i·m^s_j)² + adversarial_weight · KL(softmax(z^t) ‖ softmax(z^s(x + δ))) ]

    δ is found by `steps` of projected gradient ascent on the last term within ± ε, from a random start, each ε/4 long.

    Assumes little of neighbours in the loss, but position features say that nodes near each other are alike.

    Args:
        labels: λ in [0, 1], the weight of the labels (in the authors' code λ is that of the soft targets).
        similarity_weight: on squared products of the teacher's raw features, hence for its scale: the authors take
            0.1 (Cora, CiteSeer), 0.9 (PubMed), 1e-9 (Amazon). 0 leaves the term out.
        map_dropout: of m^s; in the authors' code the student's.
        adversarial_weight: 0 leaves the term out.
        epsilon: ε in units of the root mean square of the non-zero features, 1 where they are 0 and 1 as the authors'.
        steps: of the ascent; each is a pass forward and one back.
        adversarial_nodes: how many nodes are perturbed in a step, drawn anew for each member; null = all.

    Shapes: logits [M, N, C], hidden [M, N, D], widths may differ; perturbed features [M, n, F], dense. Terms `soft`,
    `similarity` and `adversarial` of [M].

    Deviations: the authors take two optimiser steps an epoch, one for the labels and one for the teacher, each with all
    terms; here they are one loss, the two new terms with the soft targets. Similarities are over all pairs of nodes,
    exactly, instead of those of a batch. A random part of the nodes is perturbed in a step (256), not all, which is
    N / 256 times cheaper; every pass of a step has the same dropout. The released code never reads the learning rates
    and decays that it sets for each data set: it trains with 0.01 and 5e-4.

    >>> run = gs.distill(gs.models.MLP(hidden=16), task, teacher=teacher, method=gs.NOSMOG())
    """

    reference = (
        Reference(
            ("Tian", "Zhang", "Guo", "Zhang", "Chawla"),
            "Learning MLPs on Graphs: A Unified View of Effectiveness, Robustness, and Efficiency",
            "ICLR",
            2023,
            link="https://arxiv.org/abs/2208.10010",
            code="meettyj/NOSMOG",
            commit="7f8ef63",
        ),
    )
    space = {"similarity_weight": (0.01, 0.1, 1.0), "adversarial_weight": (0.1, 1.0)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True, graph=True)
    only_nodes = "it adds positions of nodes, and perturbs the features of single nodes"

    labels: float = 0.0
    similarity_weight: float = 0.1
    map_dropout: float = 0.5
    adversarial_weight: float = 0.1
    epsilon: float = 0.04
    steps: int = 5
    adversarial_nodes: int | None = 256

    def __post_init__(self) -> None:
        share(self, labels=self.labels, map_dropout=self.map_dropout)
        not_negative(self, similarity_weight=self.similarity_weight, adversarial_weight=self.adversarial_weight)
        positive(self, epsilon=self.epsilon, steps=self.steps)
        if self.adversarial_nodes is not None:
            positive(self, adversarial_nodes=self.adversarial_nodes)

    def supervision(self, progress: float) -> float:
        return self.labels

    def build(self, spec: Spec) -> Parts:
        options = {name: Noise(spec.seeds, spec.device, s) for name, s in (("map", DROPPED), ("attack", PERTURBED))}
        if self.similarity_weight == 0:
            return Parts(options=options)
        square = Linear(spec.members, spec.widths[-1], spec.widths[-1])
        initialise(square, spec.seeds)
        return Parts(joint=square, options=options)

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        t = teacher(t)
        named = {"soft": soft_target_kl(t.logits, s.logits, 1.0, step.batch.multi_label)}
        if step.parts.joint is not None:
            noise = step.parts.options["map"].at(step.at.number)
            mapped = noise.dropout(step.parts.joint(s.layer(-1).pre).relu(), self.map_dropout)
            squares = gram_distance(t.layer(-1, "teacher").pre, mapped)
            named["similarity"] = self.similarity_weight / len(s.nodes) ** 2 * squares
        if self.adversarial_weight > 0:
            named["adversarial"] = self.adversarial_weight * self._adversarial(t, step, len(s.nodes))
        return {key: (1.0 - self.labels) * value for key, value in named.items()}

    def _adversarial(self, t: View, step: Step, nodes: int) -> Tensor:
        noise = step.parts.options["attack"].at(step.at.number)
        count = nodes if self.adversarial_nodes is None else min(nodes, self.adversarial_nodes)
        rows = noise.uniform((nodes,)).topk(count).indices
        target, x = take(t.logits, rows), features_of(step.batch.x, rows)
        radius = self.epsilon * scale_of(step.batch.x)

        def kl(offset: Tensor) -> Tensor:
            return soft_target_kl(target, step.forward(x + offset, rows).logits, 1.0, step.batch.multi_label)

        start = (2 * noise.uniform(tuple(x.shape[1:]), x.dtype) - 1) * radius
        return kl(adversarial_offset(kl, start, radius, self.steps))


def features_of(x: SparseFeatures | Tensor, rows: Tensor) -> Tensor:
    """Dense features of each member's rows, int64 [M, n] -> [M, n, F]."""
    return x[rows] if isinstance(x, Tensor) else torch.stack([x.rows(chosen).to_dense() for chosen in rows])


def scale_of(x: SparseFeatures | Tensor) -> float:
    """The root mean square of the features that are not 0; 1 where all are."""
    values = x if isinstance(x, Tensor) else x.values
    return float((values.square().sum() / values.count_nonzero().clamp(min=1)).sqrt()) or 1.0
