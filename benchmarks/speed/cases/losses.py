"""Losses alone: forward and backward to the student's features, the teacher's side included."""

from __future__ import annotations

from collections.abc import Callable

import torch
from benchmarks.speed import count, graphs, plain
from benchmarks.speed.case import OURS, Built, Step, case
from torch import Tensor

from graphstill import datasets
from graphstill.losses import edge_similarity, info_nce, kernel_matching, local_structure_kl
from graphstill.losses.kernels import for_kernel
from graphstill.losses.pairs import unit
from graphstill.method.parts.identifiers import Diagonal
from graphstill.method.sampling import Sampler
from graphstill.nn.layers import initialise
from graphstill.ops import Adjacency


def features(nodes: int, *widths: int) -> list[Tensor]:
    """The student's, with gradient, then others."""
    torch.manual_seed(0)
    drawn = [torch.randn(nodes, width) for width in widths]
    drawn[0].requires_grad_()
    return drawn


def timed(loss: Callable[[], Tensor], *inputs: Tensor) -> Step:
    return lambda: torch.autograd.grad(loss().sum(), inputs)


def define_lsp(name: str, kernel: str, student: int, teacher: int, load: Callable[[], Adjacency], rounds: int) -> None:
    @case(name, f"LSP, kernel {kernel}, {teacher} wide into {student}", unit="loss", rounds=rounds)
    def lsp() -> Built:
        graph = load()
        s, t = features(graph.num_nodes, student, teacher)
        bandwidth = 100.0 if kernel == "laplace" else "mean"

        def ours() -> Tensor:
            mine = edge_similarity(graph, s[None], kernel, bandwidth)  # type: ignore[arg-type]
            with torch.no_grad():
                theirs = edge_similarity(graph, t[None], kernel, bandwidth)  # type: ignore[arg-type]
            return local_structure_kl(graph, theirs, mine)

        def baseline() -> Step:
            edges = graph.edge_index()
            return timed(lambda: plain.local_structure(s, t, edges, kernel), s)

        work = count.edge_distance(graph.num_nodes, graph.num_edges, student)
        work += count.sampled(graph.num_edges, graph.num_nodes, teacher)
        sizes = {"nodes": graph.num_nodes, "edges": graph.num_edges, "width": teacher}
        return Built({OURS: lambda: timed(ours, s), "gather": baseline}, work, sizes)


def ppi() -> Adjacency:
    return graphs.ppi_sized().training_batches(0)[0].graph


def big() -> Adjacency:
    edges = torch.from_numpy(graphs.power_law(170_000, 2_300_000))
    return Adjacency.from_edge_index(edges, 170_000)


define_lsp("lsp-256/ppi", "negative_euclidean", 256, 256, ppi, 5)
define_lsp("lsp-256-rbf/ppi", "rbf", 256, 256, ppi, 5)
define_lsp("lsp-1024/ppi", "negative_euclidean", 136, 1024, ppi, 3)
define_lsp("lsp-256-laplace/ppi", "laplace", 256, 256, ppi, 3)
define_lsp("lsp-128/power-law", "negative_euclidean", 128, 128, big, 2)


@case("g-crd", "G-CRD's contrast of 4,096 nodes, 256 wide", unit="loss", rounds=3)
def contrast() -> Built:
    s, t = features(4096, 256, 256)
    u, v = torch.nn.functional.normalize(s.detach()).requires_grad_(), torch.nn.functional.normalize(t)
    return Built(
        {
            OURS: lambda: timed(lambda: info_nce(v[None], u[None], 0.075), u),
            "all pairs": lambda: timed(lambda: plain.info_nce(u, v, 0.075), u),
        },
        count.linear(4096, 256, 4096),
        {"nodes": 4096, "width": 256},
    )


@case("gkd", "GKD's heat kernel on Cora, 64 wide: 512 rows drawn, as the method does, against all pairs", unit="loss")
def kernels() -> Built:
    graph = datasets.load("cora").full_batch().graph.with_self_loops()
    s, t = features(graph.num_nodes, 64, 64)
    rows = Sampler([0], "gkd").draw(0, graph.num_nodes, 512, s.device)

    def loss(rows: Tensor | None) -> Callable[[], Tensor]:
        def of() -> Tensor:
            target, student = for_kernel("exponential", t[None], 1.0), for_kernel("exponential", s[None], 1.0)
            return kernel_matching("exponential", target, student, graph, 0.1, rows)

        return of

    def baseline() -> Step:
        adjacency = graph.matrix(graph.ones(torch.float32)).to_dense()
        return timed(lambda: plain.kernel_matching(s, t, adjacency, 0.1), s)

    return Built(
        {OURS: lambda: timed(loss(rows), s), "all pairs": baseline, "ours, all pairs": lambda: timed(loss(None), s)},
        sizes={"nodes": graph.num_nodes, "width": 64},
    )


@case("graphakd/ppi", "GraphAKD's identifier of edges, 256 wide, with its weights' gradient", unit="loss", rounds=5)
def identifier() -> Built:
    graph = ppi().with_self_loops()
    s, t = (unit(x) for x in features(graph.num_nodes, 256, 256))
    s = s.detach().requires_grad_()
    critic = Diagonal(1, 256, 0.5)
    initialise(critic, [0])
    weight = critic.weight.detach()[0].clone().requires_grad_()

    def baseline() -> Step:
        edges = graph.edge_index()

        def loss() -> Tensor:
            scores = (plain.edge_scores(x, weight, edges) for x in (s, t))
            return sum(torch.nn.functional.softplus(x).mean() for x in scores)  # type: ignore[return-value]

        return timed(loss, s, weight)

    def ours() -> Tensor:
        scores = (critic.edges(x[None], graph) for x in (s, t))
        return sum(torch.nn.functional.softplus(x).mean() for x in scores)  # type: ignore[return-value]

    work = 2 * count.sampled(graph.num_edges, graph.num_nodes, 256) + 3 * count.spmm(
        graph.num_edges, graph.num_nodes, 256
    )
    return Built({OURS: lambda: timed(ours, s, critic.weight), "gather": baseline}, work)
