"""ROD: heads on one trunk teach each other, each with the similarities that its own hop sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import own_ensemble_kl, pair_cosines, similarity_bce, supervised
from graphstill.method import Method, Needs, Nodes, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of
from graphstill.method.sampling import counts
from graphstill.ops import Adjacency, Noise, SparseFeatures, similar_pairs, spmm

#: Stream of the members' seeds from which each step's dissimilar pairs are drawn.
SLICES = 17
#: Ordered pairs of each kind in a batch of the released code, which sums over its batches.
BATCH = 1000
#: Dissimilar pairs that are kept for a hop: 8 MB.
KEPT = 2**20


@register("rod")
@dataclass(frozen=True)
class ROD(Method):
    """A network with a classifier for each hop teaches itself: no teacher, no peers.

    Zhang et al.: ROD: Reception-aware Online Distillation for Sparse Graphs, KDD 2021; node classification. The student
    must have several heads, z_0 to z_K, as the model `rod`: head k is meant for what a node receives from k hops.

        q = sg[ mean_k softmax(z_k) ]
        L = Σ_k CE(z_k, y) + ensemble · Σ_k KL(q ‖ softmax(z_k)) + similarity · Σ_k S_k
        S_k = Σ over pairs, means of batches of 1,000 + 1,000, of
              −sg[c] log σ(c) where they are similar, −sg[1 − c] log(1 − σ(c)) where they are not

    where c is the cosine of the logits z_k of two nodes. Similar are as many pairs as the graph has edges, those with
    the largest cosine of X_k = Â^k X; dissimilar are as many of the `pool` times more with the smallest, in each step
    another slice of them. The first term takes the place of the loss on the mean logits.

    Assumes that the teacher of all hops, their mean, is better than each; nodes whose propagated features are alike are
    taken for alike.

    Args:
        ensemble, similarity: weights. With both 0 this is the task loss of every head alone.
        pool: dissimilar pairs to draw from, in multiples of a step's.
        nodes: "train" or "all" nodes for the ensemble's term.

    Shapes: heads' logits [M, K + 1, N, C]; terms `heads`, `ensemble`, `similarity` of [M].

    Deviations: only the released code was available. Both orders of a pair are one here, counted twice, and a node is
    no pair with itself, whose cosine is a constant. Where cosines are equal, pairs are taken at random, not by number.
    The pool is in random order, so that a slice is a sample of it; released: nearly by number. Each member draws its
    own slice; where the pool exceeds 2^20 pairs, a random sample of that size is kept. Every pair counts the same;
    released: in the last, smaller batch pairs count more, and dissimilar ones are weighted as if similar.

    >>> run = gs.distill(gs.models.ROD(), task, method=gs.ROD())
    """

    reference = (
        Reference(
            ("Zhang", "others"),
            "ROD: Reception-aware Online Distillation for Sparse Graphs",
            "KDD",
            2021,
            code="zwt233/ROD",
            commit="176ac48",
        ),
    )
    space = {"ensemble": (0.01, 0.1, 1.0), "similarity": (0.0, 0.0001, 0.001), "nodes": ("train", "all")}
    needs = Needs(heads=True, graph=True)
    only_nodes = "it compares pairs of nodes by the number of hops between them, whose classes it predicts"

    ensemble: float = 0.01
    similarity: float = 0.001
    pool: int = 100
    nodes: Nodes = "train"

    def __post_init__(self) -> None:
        not_negative(self, ensemble=self.ensemble, similarity=self.similarity)
        counts(self, pool=self.pool)
        one_of(self, ("all", "train"), nodes=self.nodes)

    def supervision(self, progress: float) -> float:
        return 0.0

    def build(self, spec: Spec) -> Parts:
        if self.similarity == 0:
            return Parts()
        if not spec.full:
            raise MethodError(
                "method 'rod' compares all nodes of one training graph, but this task shows a few graphs at a time: "
                "leave batch_graphs out, or set similarity to 0"
            )
        assert spec.student.heads is not None
        most, least, taken = pairs_by_hop(spec.features, spec.graph, spec.student.heads.shape[1], self.pool)
        noise = Noise(spec.seeds, "cpu", SLICES)
        return Parts(options={"most": most, "least": least, "taken": taken, "noise": noise})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        assert s.heads is not None
        y = step.batch.y.index_select(0, step.batch.train_rows)
        labelled = s.heads.index_select(2, step.batch.train_rows)
        named = {"heads": torch.stack([supervised(z, y, step.batch.multi_label) for z in labelled.unbind(1)]).sum(0)}
        if self.ensemble > 0:
            shown = labelled if self.nodes == "train" else s.heads
            named["ensemble"] = self.ensemble * own_ensemble_kl(shown, step.batch.multi_label)
        if self.similarity > 0:
            options = step.parts.options
            unlike = _slices(options["least"], options["taken"], options["noise"].at(step.at.number))
            named["similarity"] = self.similarity * (
                _fit(s.heads, options["most"].unsqueeze(1), True) + _fit(s.heads, unlike, False)
            )
        return named


def pairs_by_hop(
    features: SparseFeatures | Tensor, graph: Adjacency, heads: int, pool: int
) -> tuple[Tensor, Tensor, int]:
    """Pairs of nodes whose features, propagated 0 to heads − 1 times, are most and least similar.

    Returns:
        int32 [2, heads, P], in the order of similarity; int32 [2, heads, L], in an order that is the same at random for
        every hop; and how many of the L a step takes.
    """
    graph, generator = graph.with_self_loops(), torch.Generator().manual_seed(0)
    x = features.to_dense() if isinstance(features, SparseFeatures) else features
    # As many as the distinct entries of A + I, of which those on the diagonal are no pairs.
    entries = len((graph.target.long() * graph.num_nodes + graph.source).unique())
    similar, dissimilar = max(1, (entries - graph.num_nodes) // 2), max(1, entries // 2)
    found = []
    for hop in range(heads):
        if hop:
            x = spmm(graph, graph.gcn_weights(x.dtype), x)
        found.append(similar_pairs(x, similar, pool * dissimilar, KEPT, generator))
    length = min(pairs.least.shape[1] for pairs in found)
    most = torch.stack([pairs.most for pairs in found], 1).int()
    least = torch.stack([pairs.least[:, :length] for pairs in found], 1).int()
    order = torch.randperm(length, generator=generator).to(least.device)
    return most, least[:, :, order], min(dissimilar, length)


def _slices(pairs: Tensor, taken: int, noise: Noise) -> Tensor:
    """A contiguous slice of the pairs for each member, the same in all hops: [2, H, L] -> [2, M, H, taken]."""
    starts = (noise.uniform((), torch.float64) * (pairs.shape[2] - taken + 1)).long().tolist()
    return torch.stack([pairs[:, :, start : start + taken] for start in starts], 1)


def _fit(heads: Tensor, pairs: Tensor, similar: bool) -> Tensor:
    """Sum over heads and batches, [M]. A batch's mean is over both kinds, a pair counts in both its orders."""
    batches = pairs.shape[-1] / BATCH
    return batches * similarity_bce(pair_cosines(heads, pairs), similar).sum(1)
