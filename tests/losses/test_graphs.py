"""GraphAKD on graphs (fixture G3); FitNet, AT, G-CRD (fixture G5) and GNN-SD on graphs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.losses import (
    attention_distance,
    discrepancy_retention,
    hint_distance,
    info_nce,
    judged_fake,
    judged_real,
    readout_retention,
    summary_scores,
    unit,
)
from graphstill.ops import Adjacency, Groups, edge_form

PATH = Adjacency.from_edge_index(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3)
ONE = Groups.from_ptr(torch.tensor([0, 3]), 3)
S = torch.tensor([[[1.0, 0], [1, 1], [0, 1]]], dtype=torch.float64)
T = torch.tensor([[[2.0, 0], [0, 1], [0, 3]]], dtype=torch.float64)
ONES = torch.ones(1, 2, dtype=torch.float64)


def test_fixture_of_the_local_identifier() -> None:
    ds, dt = (edge_form(PATH, unit(h), ONES) for h in (S, T))
    torch.testing.assert_close(ds, torch.full_like(ds, 0.5).sqrt())
    assert dt.tolist() == [[0, 0, 1, 1]]
    edges = Groups.from_ptr(PATH.ptr[torch.tensor([0, 3])], 4)
    for groups in (None, edges):
        assert (judged_real(dt, groups) + judged_fake(ds, groups)).item() == pytest.approx(1.611145, abs=1e-6)
        assert judged_real(ds, groups).item() == pytest.approx(0.400834, abs=1e-6)


@pytest.mark.parametrize(("twice", "critic", "student"), [(False, 3.044887, 1.921817), (True, 3.025320, 1.939188)])
def test_fixture_of_the_global_identifier(twice: bool, critic: float, student: float) -> None:
    def score(h: Tensor, of: Tensor) -> Tensor:
        pooled = ONE.mean(of)
        return summary_scores(unit(h), pooled.sigmoid() if twice else pooled, ONE, ONES)

    tt, st, ss, ts = score(T, T), score(S, T), score(S, S), score(T, S)
    by_critic = judged_real(tt) + judged_fake(st) + judged_real(ss) + judged_fake(ts)
    assert by_critic.item() == pytest.approx(critic, abs=1e-6)
    assert (judged_real(st) + judged_fake(ss) + judged_real(ts)).item() == pytest.approx(student, abs=1e-6)


def test_each_node_is_judged_by_its_own_graph_and_graphs_may_weigh_alike() -> None:
    graphs = Groups.from_ptr(torch.tensor([0, 3, 4]), 4)
    h = torch.randn(2, 4, 2, dtype=torch.float64)
    weight = torch.randn(2, 2, dtype=torch.float64)
    scores = summary_scores(h, graphs.mean(h), graphs, weight)
    for rows in (slice(0, 3), slice(3, 4)):
        alone = Groups.from_ptr(torch.tensor([0, rows.stop - rows.start]), rows.stop - rows.start)
        torch.testing.assert_close(scores[:, rows], summary_scores(h[:, rows], alone.mean(h[:, rows]), alone, weight))
    each = [judged_real(scores[:, rows]) for rows in (slice(0, 3), slice(3, 4))]
    torch.testing.assert_close(judged_real(scores, graphs), (each[0] + each[1]) / 2)


def test_fixture_of_attention() -> None:
    s = torch.tensor([[[1.0, -2], [0, 1], [3, 1]]], dtype=torch.float64)
    t = torch.tensor([[[2.0, 0], [1, 1], [5, 5]]], dtype=torch.float64)
    graphs = Groups.from_ptr(torch.tensor([0, 2, 3]), 3)
    assert attention_distance(t, s, graphs=graphs).item() == pytest.approx(0.035236, abs=1e-6)
    assert attention_distance(t[:, :2], s[:, :2]).item() == pytest.approx(0.070472, abs=1e-6)
    alone = [attention_distance(t[:, rows], s[:, rows], 3.0) for rows in (slice(0, 2), slice(2, 3))]
    torch.testing.assert_close(attention_distance(t, s, 3.0, graphs), (alone[0] + alone[1]) / 2)


def test_attention_where_a_graph_is_silent_has_a_gradient() -> None:
    s = torch.zeros(1, 3, 2, requires_grad=True)
    found = attention_distance(torch.ones(1, 3, 2), s, graphs=Groups.from_ptr(torch.tensor([0, 2, 3]), 3))
    found.sum().backward()
    assert found.item() == pytest.approx(1.0) and s.grad is not None and s.grad.isfinite().all()


def test_fixture_of_pooled_contrast() -> None:
    s = torch.tensor([[[1.0, 0], [0, 1], [1, 1]]], dtype=torch.float64)
    t = torch.tensor([[[1.0, 0], [1, 1], [0, 1]]], dtype=torch.float64)
    assert info_nce(unit(t), unit(s), 0.5).item() == pytest.approx(0.990556, abs=1e-6)


def test_hints_of_graphs_are_those_of_pooled_rows() -> None:
    assert hint_distance(ONE.mean(T), ONE.mean(S)).item() == pytest.approx(2 / 9)
    torch.testing.assert_close(hint_distance(ONE.mean(T), ONE.mean(S)), (T.mean(1) - S.mean(1)).square().mean(1))


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_discrepancy_of_graphs(norm: str, reduction: str) -> None:
    """Of one graph, and of several copies of it, as without graphs; the deeper layer alone has a gradient."""
    levels = [torch.rand(2, 4, dtype=torch.float64, requires_grad=True) for _ in range(4)]
    plain = discrepancy_retention(levels, norm, reduction)  # type: ignore[arg-type]
    for copies in (1, 3):
        many = [level.repeat(1, copies) for level in levels]
        graphs = Groups.from_ptr(torch.arange(copies + 1) * 4, 4 * copies)
        torch.testing.assert_close(discrepancy_retention(many, norm, reduction, graphs), plain)  # type: ignore[arg-type]
    falling = [torch.full((1, 2), value, requires_grad=True) for value in (3.0, 2.0)]
    discrepancy_retention(falling, graphs=Groups.from_ptr(torch.tensor([0, 2]), 2)).sum().backward()
    assert falling[0].grad is None and falling[1].grad is not None and falling[1].grad.any()


def test_shallow_readouts_learn_from_the_deepest() -> None:
    readouts = [torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    found = readout_retention(readouts)
    cosines = [torch.cosine_similarity(g, readouts[-1], dim=-1).mean(-1) for g in readouts[:2]]
    torch.testing.assert_close(found, 4 - 2 * (cosines[0] + cosines[1]))
    found.sum().backward()
    assert readouts[0].grad is not None and readouts[1].grad is not None and readouts[2].grad is None
    assert readout_retention(readouts[:1]).tolist() == [0, 0]
