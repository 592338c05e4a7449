"""Typed messages: fixtures T1 (RGCN, a metapath) and T2 (SimpleHGN's attention); dense products and gradients."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, along_metapath, relation_means, relation_weights, typed_attention


def graph(*edges: tuple[int, int], nodes: int) -> Adjacency:
    return Adjacency.from_edge_index(torch.tensor(edges).T, nodes)


RELATIONS = [graph((1, 0), (2, 0), nodes=4), graph((3, 0), (0, 3), nodes=4)]


def test_fixture_of_relations() -> None:
    h = torch.tensor([[[1.0], [2], [4], [8]]], dtype=torch.float64)
    weights = torch.tensor([0.5, -1], dtype=torch.float64).view(1, 2, 1, 1)
    assert (2 * h + relation_means(RELATIONS, h, weights)).flatten().tolist() == [-4.5, 4, 8, 15]


@pytest.mark.parametrize("width", [2, 7])
def test_relations_beside_a_dense_product(width: int) -> None:
    h = torch.randn(2, 4, 5, dtype=torch.float64, requires_grad=True)
    shares, bases = torch.randn(2, 2, 3, dtype=torch.float64), torch.randn(2, 3, 5, width, dtype=torch.float64)
    weights = relation_weights(shares, bases).requires_grad_()
    torch.testing.assert_close(weights[1, 0], sum(shares[1, 0, b] * bases[1, b] for b in range(3)))
    expected = torch.zeros(2, 4, width, dtype=torch.float64)
    for r, relation in enumerate(RELATIONS):
        dense = torch.zeros(4, 4, dtype=torch.float64)
        dense[relation.target.long(), relation.source.long()] = 1
        expected = expected + dense / dense.sum(1, keepdim=True).clamp(min=1) @ h @ weights[:, r]
    found = relation_means(RELATIONS, h, weights)
    torch.testing.assert_close(found, expected)
    for one, other in zip(*(torch.autograd.grad(y.sum(), (h, weights)) for y in (found, expected)), strict=True):
        torch.testing.assert_close(one, other)
    with pytest.raises(ConfigError, match="for 1 relations"):
        relation_means(RELATIONS[:1], h, weights)


def test_fixture_of_a_metapath() -> None:
    """Papers 0 to 2, authors 3 to 5."""
    wrote = [(0, 3), (0, 4), (1, 4), (1, 5), (2, 5)]
    from_authors, from_papers = graph(*[(a, p) for p, a in wrote], nodes=6), graph(*wrote, nodes=6)
    x = torch.tensor([1.0, 2, 4, 99, 99, 99], dtype=torch.float64).view(1, 6, 1)
    assert along_metapath([from_authors, from_papers], x)[0, :3, 0].tolist() == [1.25, 2.25, 3]


def test_fixture_of_typed_attention() -> None:
    star = graph((1, 0), (2, 0), (3, 0), nodes=4)
    source = torch.tensor([[0.0, 0.2, 0.5, -0.3]], dtype=torch.float64)
    target = torch.tensor([[0.1, 0, 0, 0]], dtype=torch.float64)
    edge = torch.tensor([[0.0, 0.4, -0.2]], dtype=torch.float64)
    first = typed_attention(star, source, target, edge)
    assert first[0].tolist() == pytest.approx([0.267387, 0.538451, 0.194163], abs=1e-6)
    before = torch.full_like(edge, 1 / 3).requires_grad_()
    mixed = typed_attention(star, source.requires_grad_(), target, edge, previous=before)
    assert mixed[0].tolist() == pytest.approx([0.270684, 0.528195, 0.201121], abs=1e-6)
    mixed.square().sum().backward()
    assert before.grad is None and source.grad is not None and source.grad.any()
