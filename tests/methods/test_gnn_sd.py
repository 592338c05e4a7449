"""GNN-SD: the discrepancy by hand, and which layer learns from which."""

from __future__ import annotations

import pytest
import torch

from graphstill.engine import Training, distill
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import discrepancy_retention, neighbourhood_discrepancy
from graphstill.methods import GNNSD
from graphstill.nn import GCN
from graphstill.ops import Adjacency
from tests.methods.stage import set_stage
from tests.tiny import tiny_task

PATH = Adjacency.from_edge_index(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3)


def test_on_a_path_with_and_without_self_loops() -> None:
    h = torch.tensor([[[1.0, 0], [0, 1], [1, 0]]])
    assert neighbourhood_discrepancy(PATH, h)[0].tolist() == [1, 1, 1]
    looped = neighbourhood_discrepancy(PATH.with_self_loops(), h)
    torch.testing.assert_close(looped[0], torch.tensor([0.292893, 0.552786, 0.292893]), rtol=0, atol=1e-6)


def test_symmetric_normalisation_against_a_dense_matrix() -> None:
    graph = PATH.with_self_loops()
    h = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    dense = torch.eye(3) + torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    scale = dense.sum(1).rsqrt()
    around = (scale[:, None] * dense * scale) @ h
    torch.testing.assert_close(
        neighbourhood_discrepancy(graph, h, "gcn"), 1 - torch.cosine_similarity(h, around, dim=-1)
    )


def test_same_orthogonal_opposite_isolated_and_scaled() -> None:
    """Nodes 0..3 look at node 4; node 4 at none."""
    graph = Adjacency.from_edge_index(torch.tensor([[4, 4, 4, 4], [0, 1, 2, 3]]), 5)
    h = torch.tensor([[[2.0, 0], [0, 3], [-1, 0], [0, 0], [5, 0]]], requires_grad=True)
    levels = neighbourhood_discrepancy(graph, h)
    torch.testing.assert_close(levels[0], torch.tensor([0.0, 1, 2, 0, 0]))
    torch.testing.assert_close(neighbourhood_discrepancy(graph, 7 * h.detach()), levels.detach())
    levels.sum().backward()
    assert h.grad is not None and h.grad.isfinite().all()


def test_nothing_to_retain_where_discrepancy_grows() -> None:
    levels = [torch.full((2, 4), v, requires_grad=True) for v in (0.1, 0.3, 0.6)]
    assert discrepancy_retention(levels).tolist() == [0, 0]


@pytest.mark.parametrize(("norm", "reduction", "nodes"), [("l2", "mean", 1), ("l1", "sum", 4)])
def test_retention_starts_at_the_largest_and_moves_the_deeper_layer(norm: str, reduction: str, nodes: int) -> None:
    """Levels 0.5, 0.2, 0.9, 0.6, 0.7: the largest of the first four is the third; only 0.9 > 0.6 counts after it."""
    levels = [torch.full((1, 4), v, requires_grad=True) for v in (0.5, 0.2, 0.9, 0.6, 0.7)]
    loss = discrepancy_retention(levels, norm, reduction)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(0.3**2 * nodes)
    loss.sum().backward()
    moved = [level.grad is not None and bool(level.grad.abs().sum() > 0) for level in levels]
    assert moved == [False, False, False, True, False]


def test_each_member_has_its_own_start() -> None:
    first = [torch.tensor([[v]]) for v in (0.9, 0.5, 0.6)]
    second = [torch.tensor([[v]]) for v in (0.2, 0.8, 0.7)]
    together = discrepancy_retention([torch.cat(pair) for pair in zip(first, second, strict=True)])
    torch.testing.assert_close(together, torch.cat([discrepancy_retention(first), discrepancy_retention(second)]))
    torch.testing.assert_close(together, torch.tensor([0.4**2, 0.1**2]))


def test_options_choose_layers_and_neighbourhood() -> None:
    stage = set_stage(GNNSD(output=False, feature="post", self_loops=True, aggregate="gcn"), tiny_task(), [0])
    graph = stage.s.graph.with_self_loops()
    levels = [neighbourhood_discrepancy(graph, h.post, "gcn") for h in stage.s.hidden]
    torch.testing.assert_close(stage.terms()["discrepancy"], discrepancy_retention(levels))
    scaled = set_stage(GNNSD(beta=3.0), tiny_task(), [0]).total()
    torch.testing.assert_close(scaled, 3 * set_stage(GNNSD(), tiny_task(), [0]).total())


def test_one_layer_is_refused() -> None:
    with pytest.raises(MethodError, match="leaves 1 of this student"):
        distill(GCN(hidden=4), tiny_task(), method=GNNSD(output=False), training=Training(epochs=1))


@pytest.mark.parametrize("wrong", [{"beta": -1}, {"aggregate": "max"}, {"norm": "l3"}, {"feature": "dropped"}])
def test_refuses(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        GNNSD(**wrong)  # type: ignore[arg-type]
