"""DropEdge: which edges go, what is left of the weights, and that the networks use it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from graphstill.nn import GATConv
from graphstill.nn.layers import initialise
from graphstill.nn.weighted import gcn_weighted, keep_edges, mean_weighted, unweighted
from graphstill.ops import Adjacency, Noise
from tests.nn.parts import NODES, SEEDS, dense, edges, graph, noise

MEMBERS = len(SEEDS)


def matrix(adjacency: Adjacency, values: Tensor) -> Tensor:
    """``[nodes, nodes]``: row target, column source."""
    out = torch.zeros(adjacency.num_nodes, adjacency.num_nodes, dtype=values.dtype)
    return out.index_put_((adjacency.target.long(), adjacency.source.long()), values, accumulate=True)


def symmetric(pairs: int = 3000, nodes: int = 200) -> Adjacency:
    index = torch.randint(nodes, (2, pairs), generator=torch.Generator().manual_seed(0))
    return Adjacency.from_edge_index(torch.cat([index, index.flip(0)], dim=1).unique(dim=1), nodes)


def test_an_edge_and_its_reverse_go_together_and_self_loops_stay() -> None:
    adjacency = symmetric().with_self_loops()
    kept = keep_edges(adjacency, noise(), 0.25)
    assert kept is not None
    for row in kept:
        square = matrix(adjacency, row.float())
        assert torch.equal(square, square.t())
        assert (square.diagonal() == 1).all()
    others = kept[:, adjacency.source != adjacency.target].double().mean(1)
    assert_close(others, torch.full((MEMBERS,), 0.75, dtype=torch.float64), atol=0.03, rtol=0)
    assert not torch.equal(kept[0], kept[1])


def test_one_way_edges_are_drawn_one_by_one() -> None:
    index = torch.randint(1, 3000, (2, 20_000), generator=torch.Generator().manual_seed(0)).sort(dim=0).values
    index = index[:, index[0] < index[1]].unique(dim=1)
    kept = keep_edges(Adjacency.from_edge_index(index, 3000), noise(), 0.5)
    assert kept is not None
    chance = kept.double().mean(1)
    assert_close(chance, torch.full((MEMBERS,), 0.5, dtype=torch.float64), atol=0.02, rtol=0)
    neighbours = (kept[:, 1:] == kept[:, :-1]).double().mean()
    assert neighbours.item() == pytest.approx(0.5, abs=0.02)


def test_all_edges_stay_in_evaluation_and_without_a_rate() -> None:
    assert keep_edges(graph(), None, 0.5) is None
    assert keep_edges(graph(), noise(), 0.0) is None
    empty = Adjacency.from_edge_index(torch.empty(2, 0, dtype=torch.int64), 3)
    kept = keep_edges(empty, noise(), 0.5)
    assert kept is not None and kept.shape == (MEMBERS, 0)


@pytest.mark.parametrize("kind", ["gcn", "mean"])
def test_weights_are_those_of_the_graph_that_is_left(kind: str) -> None:
    adjacency = graph().with_self_loops() if kind == "gcn" else graph()
    make = gcn_weighted if kind == "gcn" else mean_weighted
    weighted = make(adjacency, torch.float64, noise(), 0.5)
    assert weighted.kept is not None and isinstance(weighted.values, torch.Tensor) and not weighted.kept.all()
    for row, values, left in zip(weighted.kept, weighted.values, weighted.thinned(weighted.kept), strict=True):
        assert (values[~row] == 0).all()
        expected = left.gcn_weights(torch.float64) if kind == "gcn" else left.mean_weights(torch.float64)
        assert_close(matrix(adjacency, values), matrix(left, expected.values))


def test_attention_on_what_is_left_equals_attention_on_that_graph() -> None:
    layer = GATConv(MEMBERS, dense().size(1), 3, heads=2).double()
    initialise(layer, SEEDS)
    weighted = unweighted(graph().with_self_loops(), noise(), 0.5)
    assert weighted.kept is not None
    out = layer(dense(), weighted)
    for i, left in enumerate(weighted.thinned(weighted.kept)):
        assert_close(out[i], layer(dense(), unweighted(left))[i])


def test_a_members_edges_do_not_depend_on_the_others() -> None:

    together = keep_edges(graph(), Noise(SEEDS).at(4), 0.5)
    alone = keep_edges(graph(), Noise([SEEDS[1]]).at(4), 0.5)
    assert together is not None and alone is not None
    assert torch.equal(together[1], alone[0])


def test_pairs_are_kept_with_the_graph_and_go_with_it() -> None:
    from graphstill.nn.weighted import _pairs

    adjacency = Adjacency.from_edge_index(edges(), NODES)
    before = len(_pairs)
    keep_edges(adjacency, noise(), 0.5)
    keep_edges(adjacency, noise(), 0.5)
    assert len(_pairs) == before + 1
    del adjacency
    assert len(_pairs) == before
