"""The speed suite: baselines compute what we compute, what is counted is right, and the page is that of the results."""

from __future__ import annotations

import json
import mmap
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from benchmarks.speed import count, graphs, machine, measure, ours, page, plain, pyg, results
from benchmarks.speed.case import OURS, Built, Case, all_cases
from benchmarks.speed.cases.attention import attention_alone
from benchmarks.speed.cases.losses import timed
from benchmarks.speed.handmade import HandmadeGCN
from benchmarks.speed.marks import MARKS
from benchmarks.speed.plots import Curve, plot

from graphstill.data import NodeTask
from graphstill.losses import edge_similarity, info_nce, kernel_matching, local_structure_kl
from graphstill.losses.kernels import for_kernel
from graphstill.methods import OAD
from graphstill.nn import GCN
from graphstill.ops import Adjacency, SparseFeatures


@pytest.fixture(scope="module")
def task() -> NodeTask:
    return graphs.random_task(60, 400, 12, 3)


@pytest.fixture
def graph(task: NodeTask) -> Adjacency:
    return task.full_batch().graph


def test_a_case_is_measured_in_its_own_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SIZES", (2**16,))
    monkeypatch.setattr(machine, "SIDE", 64)
    case = Case("toy", "none", "sums", lambda: Built({OURS: lambda: lambda: sum(range(9)), "slow": lambda: slow}))
    row = json.loads(json.dumps(measure.measure(case, rounds=2)))
    assert row["paths"] == [OURS, "slow"] and set(row["settings"]) == {"default", "recycled"}
    assert all(len(path["cpu"]) == 2 for setting in row["settings"].values() for path in setting.values())
    assert measure.ratio(row, "slow", same=True) > 10 and row["limits"]["matrix"] > 0
    assert row["settings"]["default"]["slow"]["megabytes"] > 30


def slow() -> int:
    """Takes long, and 40 MB: from the system, since the heap of a process that ran tests may have them lying about."""
    with mmap.mmap(-1, 40_000_000) as taken:
        return taken.write(bytes(range(250)) * 160_000)


def test_a_failing_case_says_where() -> None:
    def build() -> Built:
        raise ValueError("no data")

    with pytest.raises(RuntimeError, match=r"(?s)toy, default.*no data"):
        measure.measure(Case("toy", "none", "fails", build))


def test_both_sides_train(task: NodeTask) -> None:
    held = ours.loop(task, GCN(hidden=4), OAD(), peers=4)
    step = ours.training_step(held, validate=True)
    step(), step(), ours.evaluation(held)()
    assert held.epoch == 2 and len(held.history) == 3
    data = pyg.Data(task)
    students = [pyg.gcn(12, 4, 3), pyg.gat(12, 4, 2, 3), pyg.sage(12, 4, 3), pyg.DeepNetwork(12, 4, 2, 3, 0.5)]
    before = [float(p.detach().sum()) for s in students for p in s.parameters()]
    pyg.training_step(data, students, validate=True)()
    pyg.oad_step(data, [pyg.gcn(12, 4, 3) for _ in range(4)], 4)()
    assert before != [float(p.detach().sum()) for s in students for p in s.parameters()]


def test_the_page_is_that_of_the_results() -> None:
    rows, machine = results.read()
    text = page.PAGE.read_text(encoding="utf-8")
    two, _ = results.read(threads=2)
    assert page.page(text, rows, machine, two) == text, "run `python -m benchmarks.speed --update`"
    for name, figure in page.figures(page.newest(rows)).items():
        assert (page.FIGURES / name).read_text(encoding="utf-8") == figure, "run `python -m benchmarks.speed --update`"
        assert f"figures/{name}" in text


def test_marks_name_cases() -> None:
    assert {mark.case for mark in MARKS} <= set(all_cases())


def test_rows_of_a_case_are_in_the_order_of_their_runs(tmp_path: Path) -> None:
    for name, value, threads in (("suite-2.jsonl", 2.0, 1), ("suite-1.jsonl", 1.0, 1), ("suite-3.jsonl", 3.0, 2)):
        lines = [{"machine": {"cpu": name}, "threads": threads}, {"case": "a", "x": results.rounded(value / 3)}]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    rows, machine = results.read(tmp_path)
    assert [(row["x"], row["file"]) for row in rows["a"]] == [(0.333333, "suite-1.jsonl"), (0.666667, "suite-2.jsonl")]
    assert [row["x"] for row in results.read(tmp_path, threads=2)[0]["a"]] == [1.0]
    assert page.newest(rows) == {}  # no such case is run any more
    assert machine["machine"]["cpu"] == "suite-2.jsonl"


def test_generated_graphs_have_what_was_asked_for() -> None:
    edges = graphs.power_law(500, 4000)
    assert edges.shape == (2, 4000) and (edges[0] != edges[1]).all()
    assert len(np.unique(edges[0] * 500 + edges[1])) == 4000
    assert {tuple(e) for e in edges.T.tolist()} == {tuple(e) for e in edges[::-1].T.tolist()}
    degrees = np.bincount(edges[0], minlength=500)
    assert degrees.max() > 4 * degrees.mean()


def test_counts_by_hand() -> None:
    assert count.matmul(2, 3, 5) == count.Work(60, 4 * (6 + 15 + 10))
    # Three stored values: a row of four numbers, a value and a column number each; then two rows are written.
    assert count.spmm(3, 2, 4) == count.Work(24, 3 * (16 + 8) + 32)
    assert 2 * count.Work(1, 2) + count.Work(1, 1) == count.Work(3, 5)
    one, two = (count.gcn(10, 30, 20, [8, width, 3]) for width in (4, 8))
    assert one.flops < two.flops < 2 * one.flops and one.bytes < two.bytes


def test_plot_puts_points_on_decades() -> None:
    drawn = plot("t", "x", "y", [Curve("a", [(1, 10), (10, 1000), (100, 100_000)])])
    points = [(float(x), float(y)) for x, y in re.findall(r'circle cx="([\d.]+)" cy="([\d.]+)"', drawn)]
    x, y = zip(*points, strict=True)
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.2) and y[0] - y[1] == pytest.approx(y[1] - y[2], abs=0.2)


def test_plain_losses_are_ours(graph: Adjacency) -> None:
    torch.manual_seed(0)
    student, target = torch.randn(60, 5), torch.randn(60, 7)
    edges, having = graph.edge_index(), int((graph.degree() > 0).sum())
    for kernel, bandwidth in (("negative_euclidean", "mean"), ("rbf", "mean"), ("laplace", 100.0)):
        mine, theirs = (edge_similarity(graph, x[None], kernel, bandwidth) for x in (student, target))  # type: ignore[arg-type]
        expected = plain.local_structure(student, target, edges, kernel) * 60 / having
        assert torch.allclose(local_structure_kl(graph, theirs, mine)[0], expected, atol=1e-5)
    u, v = F.normalize(student), F.normalize(torch.randn(60, 5))
    assert torch.allclose(info_nce(v[None], u[None], 0.1)[0], plain.info_nce(u, v, 0.1), atol=1e-5)
    looped = graph.with_self_loops()
    a, b = (for_kernel("exponential", x[None], 1.0) for x in (target, student))
    dense = looped.matrix(looped.ones(torch.float32)).to_dense()
    expected = plain.kernel_matching(student, target, dense, 0.1)
    assert torch.allclose(kernel_matching("exponential", a, b, looped, 0.1)[0], expected, rtol=1e-3)


def test_attention_case_is_pyg(task: NodeTask) -> None:
    built = attention_alone(task, 2, 16)
    mine_of, theirs = (built.paths[name]()() for name in (OURS, "PyG"))
    for mine, other in zip(mine_of, theirs, strict=True):  # type: ignore[call-overload]
        assert torch.allclose(mine, other, atol=1e-5)


def test_handmade_gradients_are_those_of_autograd(task: NodeTask) -> None:
    x = task.full_batch().x
    assert isinstance(x, torch.Tensor)
    sparse = NodeTask.from_arrays(
        x.numpy() * (np.random.default_rng(0).random(x.shape) < 0.2), task.full_batch().graph.edge_index().numpy(),
        np.arange(60) % 3, train=np.arange(20), val=np.arange(20, 40), test=np.arange(40, 60), sparse=True,
    )  # fmt: skip
    by_hand = HandmadeGCN(sparse, 8, dropout=0.0)
    network, data = pyg.gcn(12, 8, 3, dropout=0.0), pyg.Data(sparse)
    assert isinstance(sparse.x, SparseFeatures)
    weights = [torch.from_numpy(p.copy()) for p in by_hand.parameters]
    with torch.no_grad():
        for conv, (weight, bias) in zip(network.convs, (weights[:2], weights[2:]), strict=True):
            conv.lin.weight.copy_(weight.t())
            conv.bias.copy_(bias)
    data.loss(network(data.x, data.edges)[0]).backward()
    for conv, (weight, bias) in zip(network.convs, (by_hand.gradients()[:2], by_hand.gradients()[2:]), strict=True):
        assert torch.allclose(conv.lin.weight.grad.t(), torch.from_numpy(weight), atol=1e-6)
        assert torch.allclose(conv.bias.grad, torch.from_numpy(bias), atol=1e-6)


def test_timed_differentiates() -> None:
    x = torch.ones(2, requires_grad=True)
    (grad,) = timed(lambda: x.square(), x)()  # type: ignore[misc]
    assert torch.equal(grad, 2 * torch.ones(2))
