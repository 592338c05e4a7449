from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, edge_cosine, edge_dot, edge_form, edge_l1_distance, edge_squared_distance
from graphstill.ops import edges as edges_module

M, N, D = 2, 9, 5
REFERENCES = {
    edge_dot: lambda a, b: (a * b).sum(-1),
    edge_squared_distance: lambda a, b: (a - b).square().sum(-1),
    edge_l1_distance: lambda a, b: (a - b).abs().sum(-1),
    edge_cosine: lambda a, b: torch.cosine_similarity(a, b, dim=-1),
}
FUNCTIONS = pytest.mark.parametrize("function", REFERENCES, ids=[function.__name__ for function in REFERENCES])


def features(*, dtype: torch.dtype = torch.float64, width: int = D, nodes: int = N) -> Tensor:
    return torch.randn(M, nodes, width, dtype=dtype, generator=torch.Generator().manual_seed(3)).requires_grad_()


@FUNCTIONS
@pytest.mark.parametrize("width", [1, D, 16])
@pytest.mark.parametrize("chunk", [3, 2**18])
def test_equals_the_definition(
    graph: Adjacency, function, width: int, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges_module, "CHUNK", chunk)
    x = features(width=width)
    out = function(graph, x)
    expected = REFERENCES[function](x[:, graph.target.long()], x[:, graph.source.long()])
    assert out.shape == (M, graph.num_edges) and torch.allclose(out, expected)
    grad = torch.randn_like(out)
    grads = [torch.autograd.grad(result, x, grad, retain_graph=True)[0] for result in (out, expected)]
    assert torch.allclose(*grads)


def test_gradients_by_finite_differences(graph: Adjacency) -> None:
    assert torch.autograd.gradcheck(lambda a, b: edge_dot(graph, a, b), (features(), features() * 2 + 1))
    for function in REFERENCES:
        assert torch.autograd.gradcheck(lambda x, function=function: function(graph, x), (features(),), fast_mode=True)


def test_only_what_needs_a_gradient_gets_one(graph: Adjacency) -> None:
    a, b = features(), features().detach()
    edge_dot(graph, b, a).sum().backward()
    assert torch.allclose(a.grad, torch.autograd.grad(edge_dot(graph, b, a).sum(), a)[0]) and b.grad is None


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_form_is_a_weighted_inner_product(graph: Adjacency, symmetric: bool) -> None:
    """Also where all members share the features; where edges have their reverses the gradient takes another path."""
    if symmetric:
        edges = graph.edge_index()
        graph = Adjacency.from_edge_index(torch.cat([edges, edges.flip(0)], 1), N)
    assert graph.symmetric == symmetric and Adjacency.disjoint([graph, graph]).symmetric == symmetric
    weight = torch.randn(M, D, dtype=torch.float64, generator=torch.Generator().manual_seed(4)).requires_grad_()
    for x in (features(), features()[:1].detach().requires_grad_()):
        expected = edge_dot(graph, x * weight[:, None], x.expand(M, -1, -1))
        assert torch.allclose(edge_form(graph, x, weight), expected)
        assert torch.autograd.gradcheck(lambda x, weight: edge_form(graph, x, weight), (x, weight))
    assert torch.autograd.gradcheck(lambda x: edge_squared_distance(graph, x), (features(),))


def test_squared_distance_is_exact_where_it_is_nothing_and_never_negative(graph: Adjacency) -> None:
    """Far from the origin, where the plain identity would be wrong by more than the distances themselves."""
    x = features(dtype=torch.float32) * 0.01 + 300
    out = edge_squared_distance(graph, x)
    expected = (x[:, graph.target.long()] - x[:, graph.source.long()]).double().square().sum(-1)
    assert out.min() >= 0 and torch.equal(out[:, graph.loops], torch.zeros(M, len(graph.loops)))
    assert torch.allclose(out.double(), expected, rtol=1e-3, atol=1e-7)
    assert not edge_squared_distance(graph, torch.ones(M, N, D)).any()
    looped = graph.with_self_loops()
    assert not edge_squared_distance(looped, features(dtype=torch.float32, width=33) * 1000)[:, looped.loops].any()


def test_zero_rows_have_cosine_zero(graph: Adjacency) -> None:
    out = edge_cosine(graph, torch.zeros(M, N, D))
    assert torch.equal(out, torch.zeros(M, graph.num_edges))


@FUNCTIONS
def test_members_and_parts_do_not_mix(graph: Adjacency, function) -> None:
    x = features()
    assert torch.equal(function(graph, x)[1:], function(graph, x[1:]))
    union = Adjacency.disjoint([graph, graph.with_self_loops()])
    rows = features(nodes=2 * N)
    expected = torch.cat([function(graph, rows[:, :N]), function(graph.with_self_loops(), rows[:, N:])], dim=1)
    assert torch.allclose(function(union, rows), expected)


@FUNCTIONS
def test_no_edges(empty: Adjacency, function) -> None:
    x = features(nodes=3)
    out = function(empty, x)
    out.sum().backward()
    assert out.shape == (M, 0) and not x.grad.any()


@FUNCTIONS
def test_unsuitable_arguments_are_refused(graph: Adjacency, function) -> None:
    for x in (torch.zeros(M, N + 1, D), torch.zeros(N, D)):
        with pytest.raises(ConfigError, match=r"9 nodes. Where: edge_"):
            function(graph, x)
    with pytest.raises(ConfigError, match="Where: edge_dot"):
        edge_dot(graph, torch.zeros(M, N, D), torch.zeros(M, N, D + 1))


def test_more_edges_than_pairs_of_nodes() -> None:
    """A small graph with many duplicates keeps them all, and its own arrays."""
    edges = torch.randint(3, (2, 14), generator=torch.Generator().manual_seed(0))
    graph = Adjacency.from_edge_index(edges, 3)
    source, x = graph.source.clone(), torch.randn(2, 3, 9, dtype=torch.float64, requires_grad=True)
    found = edge_dot(graph, x)
    torch.testing.assert_close(found, (x[:, graph.target.long()] * x[:, graph.source.long()]).sum(-1))
    assert torch.autograd.gradcheck(lambda h: edge_squared_distance(graph, h), x)
    assert torch.equal(graph.source, source)
