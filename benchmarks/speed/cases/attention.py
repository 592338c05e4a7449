"""A batch of a graph set of PPI's size: 5,000 nodes, 170,000 edges. Attention, LSP on wide features, Alignahead."""

from __future__ import annotations

from functools import partial

import torch
from benchmarks.speed import count, graphs, ours, plain, pyg
from benchmarks.speed.case import OURS, Built, Step, case
from torch import Tensor
from torch_geometric.nn import GATConv

from graphstill.data import NodeTask
from graphstill.engine import Run, Training, train
from graphstill.methods import LSP, Alignahead
from graphstill.nn import GAT
from graphstill.ops import attend

HEADS, WIDTH = 4, 256
#: The published teacher and student (LSP, Alignahead): 3 layers of 4 x 256, 5 layers of 2 x 68, six output heads.
TEACHER = GAT(hidden=WIDTH, heads=HEADS, layers=3, out_heads=6, dropout=0.0, attention_dropout=0.0)
STUDENT = GAT(hidden=68, heads=2, layers=5, out_heads=6, dropout=0.0, attention_dropout=0.0)
STUDENT_SHAPES = [(2, 68)] * 4 + [(6, 121)]
TEACHER_SHAPES = [(HEADS, WIDTH)] * 2 + [(6, 121)]
#: An epoch of PPI is about ten such batches.
BATCHES = 10
RELEASED = {"lsp": 47.0 / BATCHES, "alignahead": 41.0 / BATCHES}


def student(task: NodeTask) -> pyg.Network:
    return pyg.gat(task.in_features, 68, 2, task.num_outputs, 5, 6, 0.0)


def student_work(task: NodeTask) -> count.Work:
    edges = task.num_edges + task.num_nodes
    return count.gat(task.num_nodes, edges, task.x.numel(), task.in_features, STUDENT_SHAPES, False)  # type: ignore[union-attr]


def attention_alone(task: NodeTask, heads: int, width: int) -> Built:
    """The baseline is what PyG's GATConv does between its linear layer and its bias: messages [edges, heads, width]."""
    graph = task.training_batches(0)[0].graph.with_self_loops()
    torch.manual_seed(0)
    source, target = (torch.randn(1, task.num_nodes, heads).requires_grad_() for _ in range(2))
    value = torch.randn(1, task.num_nodes, heads, width).requires_grad_()
    out_grad = torch.randn_like(value)
    given = (source, target, value)

    def our_step() -> object:
        return torch.autograd.grad(attend(graph, *given), given, out_grad)

    def path() -> Step:
        conv = GATConv(width, width, heads)
        edges = graph.edge_index()

        def step() -> object:
            alpha = conv.edge_updater(edges, alpha=(source[0], target[0]), edge_attr=None, size=None)
            out = conv.propagate(edges, x=(value[0], value[0]), alpha=alpha, size=None)
            return torch.autograd.grad(out, given, out_grad[0])

        return step

    return Built({OURS: lambda: our_step, "PyG": path}, count.attention(task.num_nodes, graph.num_edges, heads, width))


@case(
    "attention/ppi", "attention alone: scores and values given, 4 heads x 256, forward and backward",
    unit="forward and backward", rounds=5,
)  # fmt: skip
def attention() -> Built:
    return attention_alone(graphs.ppi_sized(), HEADS, WIDTH)


@case("gat-layer/ppi", "a whole GAT layer 4 x 256 on 1,024 features", unit="forward and backward", rounds=3)
def layer() -> Built:
    task = graphs.ppi_sized()
    graph = task.training_batches(0)[0].graph
    torch.manual_seed(0)
    x = torch.randn(task.num_nodes, HEADS * WIDTH)

    def path() -> Step:
        cohort = GAT(hidden=WIDTH, heads=HEADS, layers=2, dropout=0.0, attention_dropout=0.0).build(
            HEADS * WIDTH, HEADS * WIDTH, [0]
        )
        from graphstill.nn.weighted import unweighted

        conv, weighted = cohort.convs[0], unweighted(graph.with_self_loops())
        return lambda: conv(x, weighted).sum().backward()

    def baseline() -> Step:
        conv, edges = GATConv(HEADS * WIDTH, WIDTH, HEADS), graph.edge_index()
        return lambda: conv(x, edges).sum().backward()

    edges = graph.num_edges + task.num_nodes
    work = count.attention(task.num_nodes, edges, HEADS, WIDTH) + count.linear(task.num_nodes, 1024, 1024)
    return Built({OURS: path, "PyG": baseline}, work)


@case("teacher/ppi", "the teacher's forward pass: GAT, 3 layers of 4 x 256", unit="forward pass", rounds=5)
def teacher_forward() -> Built:
    task = graphs.ppi_sized()
    batch = task.full_batch()

    def path() -> Step:
        cohort = TEACHER.build(task.in_features, task.num_outputs, [0])
        return torch.no_grad()(lambda: cohort(batch.x, batch.graph))

    def baseline() -> Step:
        data = pyg.Data(task)
        network = pyg.gat(task.in_features, WIDTH, HEADS, task.num_outputs, 3, 6, 0.0).eval()
        return torch.no_grad()(lambda: network(data.x, data.edges))

    edges, work = task.num_edges + task.num_nodes, count.Work()
    for (heads, width), inner in zip(TEACHER_SHAPES, (task.in_features, 1024, 1024), strict=True):
        work += count.attention(task.num_nodes, edges, heads, width, backward=False)
        work += count.matmul(task.num_nodes, inner, heads * width)
    return Built({OURS: path, "PyG": baseline}, work)


@case("gat-student/ppi", "a GAT student, 5 layers of 2 x 68", rounds=3)
def student_step() -> Built:
    task = graphs.ppi_sized()
    return Built(
        {
            OURS: lambda: ours.training_step(ours.loop(task, STUDENT)),
            "PyG": lambda: pyg.training_step(pyg.Data(task), [student(task)]),
        },
        student_work(task),
    )


def taught(task: NodeTask) -> Run:
    return train(TEACHER, task, training=Training(epochs=1))


@case("lsp-student/ppi", "the same student with LSP from a GAT teacher's 1,024 features", rounds=3)
def lsp_step() -> Built:
    """Both sides have the teacher's features from one pass before training."""
    task = graphs.ppi_sized()

    def baseline() -> Step:
        data, target = pyg.Data(task), torch.randn(task.num_nodes, HEADS * WIDTH)

        def structure(_: list[Tensor], hidden: list[list[Tensor]]) -> Tensor:
            return plain.local_structure(hidden[0][-1], target, data.edges, "negative_euclidean")

        return pyg.training_step(data, [student(task)], extra=structure)

    work = student_work(task) + count.edge_distance(task.num_nodes, task.num_edges, 2 * 68)
    work += count.sampled(task.num_edges, task.num_nodes, HEADS * WIDTH)
    path = lambda: ours.training_step(ours.loop(task, STUDENT, LSP(), teacher=taught(task)))  # noqa: E731
    return Built({OURS: path, "PyG": baseline}, work, figures={"released code": RELEASED["lsp"]})


@case("alignahead/ppi", "Alignahead, two GAT students of 5 layers taking turns", unit="step of both", rounds=2)
def alignahead_step() -> Built:
    task = graphs.ppi_sized()

    def baseline() -> Step:
        data = pyg.Data(task)
        students = [student(task), student(task)]
        optimizers = [torch.optim.Adam(s.parameters(), lr=0.005) for s in students]
        structure = partial(plain.edge_log_structure, edges=data.edges, kernel="negative_euclidean")

        def step() -> None:
            for me in (0, 1):
                logits, hidden = students[me](data.x, data.edges)
                with torch.no_grad():
                    theirs = [structure(h) for h in students[1 - me](data.x, data.edges)[1]]
                total = data.loss(logits)
                for i, own in enumerate(hidden):
                    log_q = theirs[(i + 1) % len(hidden)]
                    total = total + (log_q.exp() * (log_q - structure(own))).sum() / len(data.x)
                optimizers[me].zero_grad()
                total.backward()
                optimizers[me].step()

        return step

    distance = count.edge_distance(task.num_nodes, task.num_edges, 2 * 68)
    work = 2 * (student_work(task) + 4 * distance)
    path = lambda: ours.training_step(ours.loop(task, STUDENT, Alignahead(), peers=2))  # noqa: E731
    return Built({OURS: path, "PyG": baseline}, work, {"members": 2}, {"released code": 2 * RELEASED["alignahead"]})
