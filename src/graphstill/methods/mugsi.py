"""MuGSI: what a graph network knows at the scale of graphs, clusters and paths."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.losses import cluster_distance, graph_distance, path_kl, soft_target_kl
from graphstill.method import Method, Needs, Parts, Reference, Spec, Step, View, register
from graphstill.method.checks import not_negative, one_of, positive, teacher
from graphstill.method.items import by_graph
from graphstill.method.sampling import PLACES, Place, widths
from graphstill.nn.layers import Linear, initialise
from graphstill.ops import Adjacency, Clusters, Groups, louvain, walks_of_graphs


@register("mugsi")
@dataclass(frozen=True)
class MuGSI(Method):
    """Soft targets, and structure of three sizes: the graph, pairs of its clusters, walks in it.

    Yao et al.: MuGSI: Distilling GNNs with Multi-Granularity Structural Information for Graph Classification, WWW 2024,
    section 4.

        L = CE + s KL(p^t || p^s) + g |u(P g^s) - u(g^t)|^2 + c 1/2 |C^s - C^t|_F^2 + w KL(q^t || q^s)

    with u to length 1, g the embedding of a graph, C the cosines between the embeddings of its clusters (Louvain), and
    q the softmax of the products of a walk's first node with the others. Each is a mean over graphs that have it.

    Assumes that nodes of teacher and student are the same, and that students see little of the structure: it was made
    for students that are MLPs.

    Args:
        soft, graph, cluster, path: weights of the four terms.
        walks, length: random walks a graph and step, and how many steps each has.
        layer, teacher_layer, place: which hidden layers are compared.

    Shapes: logits [M, graphs, C], hidden [M, nodes, D]; terms `soft`, `graph`, `cluster`, `path` of [M].

    Deviations: binary tasks use Bernoulli targets (the released code takes a softmax over one column, which is always
    1); clusters and graphs are pooled by the mean; denominators count the graphs that have a term. Walks are drawn anew
    in each step, as there.

    >>> run = gs.distill(graph_student, graphs, teacher=graph_teacher, method=gs.MuGSI())
    """

    reference = (
        Reference(
            ("Yao", "Sun", "Cao", "Zhang", "Liu"),
            "MuGSI: Distilling GNNs with Multi-Granularity Structural Information for Graph Classification",
            "WWW",
            2024,
            code="tianyao-aka/MuGSI",
            commit="c7d91b7",
        ),
    )
    space = {"graph": (0.01, 0.1, 1.0), "cluster": (0.01, 0.1, 1.0), "path": (1e-4, 0.01, 0.1)}
    needs = Needs(teacher=True, hidden=True, teacher_hidden=True, graph=True, graphs=True)

    soft: float = 1.0
    graph: float = 0.01
    cluster: float = 0.01
    path: float = 1e-4
    walks: int = 20
    length: int = 8
    layer: int = -1
    teacher_layer: int = -1
    place: Place = "post"

    def __post_init__(self) -> None:
        not_negative(self, soft=self.soft, graph=self.graph, cluster=self.cluster, path=self.path)
        positive(self, walks=self.walks, length=self.length)
        one_of(self, PLACES, place=self.place)

    def build(self, spec: Spec) -> Parts:
        student, target = widths(spec, self.layer, self.teacher_layer)
        joint = Linear(spec.members, student, target)
        initialise(joint, spec.seeds)
        return Parts(joint=joint, options={"clusters": ClustersOfGraphs(), "seed": int(spec.seeds[0])})

    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        t, named = teacher(t), dict[str, Tensor]()
        own = getattr(s.layer(self.layer), self.place)
        target = getattr(t.layer(self.teacher_layer, "teacher"), self.place)
        if self.soft:
            named["soft"] = self.soft * soft_target_kl(t.logits, s.logits, 1.0, step.batch.multi_label)
        if self.graph:
            assert step.parts.joint is not None
            mine = step.parts.joint(by_graph(own, s.graph))
            named["graph"] = self.graph * graph_distance(by_graph(target, s.graph), mine)
        if self.cluster:
            clusters = step.parts.options["clusters"].of(s.graph, s.items)
            pairs, groups = clusters.pairs(), clusters.of_node
            having = (clusters.ptr.diff() > 2).sum()
            named["cluster"] = self.cluster * cluster_distance(pairs, groups.mean(target), groups.mean(own), having)
        if self.path:
            seed = (step.parts.options["seed"] * 6364136223846793005 + step.at.number) % 2**63
            generator = torch.Generator().manual_seed(seed)
            bounds = s.graph.graph_ptr
            assert bounds is not None
            drawn, kept = walks_of_graphs(s.graph, bounds, self.walks, self.length, generator)
            named["path"] = self.path * path_kl(target, own, drawn, kept)
        return named


@dataclass
class ClustersOfGraphs:
    """Clusters of each graph that was met, found once: the same whatever batch the graph is in."""

    found: dict[int, Tensor] = field(default_factory=dict)

    def of(self, graph: Adjacency, items: Tensor) -> Clusters:
        """Of a batch of these graphs, int64 [graphs], the task's numbers of them."""
        bounds, numbers = graph.graph_ptr, items.tolist()
        if bounds is None:
            raise MethodError("clusters of a batch that is one graph: use a task whose items are graphs")
        missing = [place for place, number in enumerate(numbers) if number not in self.found]
        if missing:
            made = louvain(graph, bounds)
            for place in missing:
                own = made.of_node.of_row[bounds[place] : bounds[place + 1]]
                self.found[numbers[place]] = own - made.ptr[place]
        parts = [self.found[number] for number in numbers]
        sizes = torch.tensor([0, *(int(part.max()) + 1 for part in parts)], device=graph.device)
        ptr = sizes.cumsum(0)
        of_node = torch.cat([part + first for part, first in zip(parts, ptr[:-1], strict=True)])
        return Clusters(Groups(of_node, int(ptr[-1])), ptr)
