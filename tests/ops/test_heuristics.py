"""Fixture L1, and everything beside dense matrices, the pair's own edge taken out by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError, DataError
from graphstill.ops import (
    Adjacency,
    _series,
    adamic_adar,
    common_neighbours,
    heuristic_logits,
    heuristics,
    katz,
    local_paths,
    personalized_pagerank,
    resource_allocation,
)


def undirected(edges: Tensor, nodes: int) -> Adjacency:
    return Adjacency.from_edge_index(torch.cat([edges, edges.flip(0)], 1), nodes)


GRAPH = undirected(torch.tensor([[0, 0, 1, 1, 2, 3], [1, 2, 2, 3, 3, 4]]), 5)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ((0, 3), (2, 1.820478, 0.666667, 0.005333, 0.00525, 2.02, 0.300020)),
        ((1, 4), (1, 0.910239, 0.333333, 0.002666, 0.002625, 1.01, 0.240016)),
        ((0, 4), (0, 0, 0, 0.000267, 0.00025, 0.02, 0.153010)),
    ],
)
def test_fixture(pair: tuple[int, int], expected: tuple[float, ...]) -> None:
    for pairs in (torch.tensor([pair]).T, torch.tensor([pair[::-1]]).T):
        found = [f(GRAPH, pairs).item() for f in (common_neighbours, adamic_adar, resource_allocation)]
        found += [katz(GRAPH, pairs, 0.05).item(), katz(GRAPH, pairs, 0.05, 3).item()]
        found += [local_paths(GRAPH, pairs).item(), personalized_pagerank(GRAPH, pairs).item()]
        assert found == pytest.approx(expected, abs=1e-6)


def test_fixture_of_a_pair_that_is_an_edge() -> None:
    pair = torch.tensor([[1], [2]])
    whole = [katz(GRAPH, pair, 0.05, terms, with_own_edge=True).item() for terms in (None, 3)]
    assert whole == pytest.approx([0.055732, 0.055625], abs=1e-6)
    less = [katz(GRAPH, pair, 0.05, terms).item() for terms in (None, 3)]
    assert less == pytest.approx([0.005057, 0.005], abs=1e-6)
    assert common_neighbours(GRAPH, pair).item() == 2


def test_fixture_of_the_largest_eigenvalue() -> None:
    low, high = _series.spectral_bounds(GRAPH, 1e-9)
    assert low <= 2.641187 <= high + 1e-6 and high - low < 1e-6
    with_lonely = undirected(torch.tensor([[0, 0, 1, 1, 2, 3, 5], [1, 2, 2, 3, 3, 4, 6]]), 9)
    low, high = _series.spectral_bounds(with_lonely, 1e-9)
    assert low <= 2.641187 <= high + 1e-6
    with pytest.raises(ConfigError, match=r"the largest eigenvalue of this graph is 2.64119, .* below 0.378618"):
        katz(GRAPH, torch.tensor([[0], [3]]), 0.379)
    assert katz(GRAPH, torch.tensor([[0], [3]]), 0.378).item() > 100


def dense(graph: Adjacency, score: str, alpha: float = 0.2, beta: float = 0.1) -> Tensor:
    """The whole matrix of a score."""
    n = graph.num_nodes
    a = torch.zeros(n, n, dtype=torch.float64)
    a[graph.target.long(), graph.source.long()] = 1
    d, one = a.sum(1), torch.eye(n, dtype=torch.float64)
    if score == "common":
        return a @ a
    if score == "adamic":
        return a @ torch.diag(torch.where(d > 1, 1 / d.log(), 0.0)) @ a
    if score == "resource":
        return a @ torch.diag(torch.where(d > 0, 1 / d, 0.0)) @ a
    if score == "local":
        return a @ a + 0.01 * a @ a @ a
    if score == "katz":
        return torch.linalg.inv(one - beta * a) - one
    if score == "katz3":
        return beta * a + beta**2 * a @ a + beta**3 * a @ a @ a
    p = alpha * torch.linalg.inv(one - (1 - alpha) * torch.where(d > 0, 1 / d, 0.0)[:, None] * a)
    return p + p.T


SCORES = {
    "common": lambda g, p, _: common_neighbours(g, p),
    "adamic": lambda g, p, _: adamic_adar(g, p),
    "resource": lambda g, p, _: resource_allocation(g, p),
    "local": lambda g, p, own: local_paths(g, p, with_own_edge=own),
    "katz": lambda g, p, own: katz(g, p, 0.1, with_own_edge=own),
    "katz3": lambda g, p, own: katz(g, p, 0.1, 3, with_own_edge=own),
    "pagerank": lambda g, p, own: personalized_pagerank(g, p, 0.2, with_own_edge=own),
}


def drawn() -> Adjacency:
    """18 nodes; some hang by one edge, two make a part of their own, two are alone."""
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(13 * 13, (26,), generator=generator).unique()
    edges = torch.stack([codes // 13, codes % 13])
    edges = edges[:, edges[0] < edges[1]]
    return undirected(torch.cat([edges, torch.tensor([[0, 14], [13, 15]])], 1), 18)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("block", [None, 40])
def test_all_pairs_are_those_of_dense_matrices(name: str, block: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if block is not None:  # two columns, and a few neighbours, at a time
        monkeypatch.setattr(_series, "BLOCK", block)
        monkeypatch.setattr(heuristics, "BLOCK", 7)
    graph, every = drawn(), torch.cartesian_prod(torch.arange(18), torch.arange(18)).T
    matrix = dense(graph, name)
    torch.testing.assert_close(SCORES[name](graph, every, True), matrix.flatten(), rtol=0, atol=1e-8)
    without = SCORES[name](graph, every, False).view(18, 18)
    torch.testing.assert_close(without, without.T, rtol=0, atol=1e-8)
    assert without.min() >= 0, "rounding errors have a logarithm too"
    edges = graph.edge_index()
    is_edge = torch.zeros(18, 18, dtype=torch.bool)
    is_edge[edges[0], edges[1]] = True
    torch.testing.assert_close(without[~is_edge], matrix[~is_edge], rtol=0, atol=1e-8)
    for u, v in edges.T.tolist():
        kept = ~(((edges[0] == u) & (edges[1] == v)) | ((edges[0] == v) & (edges[1] == u)))
        less = dense(Adjacency.from_edge_index(edges[:, kept], 18), name)[u, v]
        assert without[u, v].item() == pytest.approx(less.item(), abs=1e-8), (u, v)


def test_logits_are_centred_on_a_reference() -> None:
    counts = torch.tensor([0.0, 1, 3, 7])
    logits = heuristic_logits(counts, counts, "count")
    assert logits.mean().abs() < 1e-6 and logits.std(correction=0).item() == pytest.approx(1)
    torch.testing.assert_close(logits.diff(), torch.full((3,), logits.diff()[0].item()))  # log 1, 2, 4, 8
    walks = heuristic_logits(torch.tensor([0.0, 1e-6]), torch.tensor([1e-6, 1e-3]), "walk")
    assert walks.isfinite().all() and walks[0] < walks[1]
    assert heuristic_logits(counts, torch.ones(3), "count").isfinite().all(), "a reference without any spread"


@pytest.mark.parametrize("score", SCORES.values())
def test_no_pairs_and_no_edges(score: object) -> None:
    assert callable(score)
    assert score(GRAPH, torch.zeros(2, 0).long(), False).shape == (0,)
    empty = Adjacency.from_edge_index(torch.zeros(2, 0).long(), 3)
    assert score(empty, torch.tensor([[0, 1], [2, 2]]), False).tolist() == [0, 0]


def test_graphs_and_pairs_that_are_refused() -> None:
    pair = torch.tensor([[0], [1]])
    for edges in ([[0], [1]], [[0, 1, 2], [1, 0, 2]], [[0, 1, 0, 1], [1, 0, 1, 0]]):
        with pytest.raises(DataError, match="directed, or has self-loops or an edge twice"):
            common_neighbours(Adjacency.from_edge_index(torch.tensor(edges), 3), pair)
    with pytest.raises(DataError, match="pairs of nodes 0 to 9"):
        adamic_adar(GRAPH, torch.tensor([[0], [9]]))
    with pytest.raises(ConfigError, match=r"Pass integers \[2, P\]"):
        local_paths(GRAPH, torch.zeros(3))
    with pytest.raises(ConfigError, match="terms=4 in katz"):
        katz(GRAPH, pair, terms=4)
    with pytest.raises(ConfigError, match="alpha=1"):
        personalized_pagerank(GRAPH, pair, 1.0)
