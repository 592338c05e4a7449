from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.utils import softmax

from graphstill.errors import ConfigError
from graphstill.ops import Adjacency, edge_log_softmax, edge_softmax, segment_max, segment_sum
from graphstill.ops.segments import SPREAD, sum_by_source

K = 3
# Scores that share one shift, and scores so far apart that each target needs its own.
SCALES = pytest.mark.parametrize("scale", [1.0, 60.0])


def scores(graph: Adjacency, scale: float, *axes: int, dtype: torch.dtype = torch.float64) -> Tensor:
    torch.manual_seed(0)
    drawn = torch.randn(*axes, graph.num_edges, dtype=dtype) * scale
    assert bool((drawn.amax(-1) - drawn.amin(-1) > SPREAD).all()) == (scale > 10)
    return drawn.requires_grad_()


@SCALES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_softmax_as_in_pyg(graph: Adjacency, scale: float, dtype: torch.dtype) -> None:
    given = scores(graph, scale, K, dtype=dtype)
    out, expected = edge_softmax(graph, given), softmax(given, graph.target.long(), num_nodes=9, dim=1)
    assert torch.allclose(out, expected, atol=1e-6)
    grad = torch.randn_like(out)
    grads = [torch.autograd.grad(result, given, grad, retain_graph=True)[0] for result in (out, expected)]
    assert torch.allclose(*grads, atol=1e-6)


@SCALES
def test_gradients_by_finite_differences(graph: Adjacency, scale: float) -> None:
    given = scores(graph, scale, K)
    for function in (edge_softmax, edge_log_softmax, segment_sum):
        assert torch.autograd.gradcheck(lambda s, function=function: function(graph, s), (given,))


def test_softmax_sums_to_one_and_log_softmax_is_its_logarithm(graph: Adjacency) -> None:
    given = scores(graph, 1.0, 2, K)
    out = edge_softmax(graph, given)
    assert torch.allclose(segment_sum(graph, out), (graph.degree() > 0).double().expand(2, K, -1))
    assert torch.allclose(edge_log_softmax(graph, given), out.log())
    assert torch.allclose(edge_softmax(graph, given + 5), out)


def test_extreme_scores_stay_finite(graph: Adjacency) -> None:
    given = scores(graph, 1e4, K, dtype=torch.float32)
    out, logs = edge_softmax(graph, given), edge_log_softmax(graph, given)
    assert out.isfinite().all() and logs.isfinite().all() and logs.min() < -100
    assert torch.allclose(segment_sum(graph, out), (graph.degree() > 0).float().expand(K, -1))


def test_a_row_does_not_depend_on_the_others(graph: Adjacency) -> None:
    given = torch.cat([scores(graph, 1.0, 1), scores(graph, 60.0, 1)]).detach()
    for function in (edge_softmax, edge_log_softmax):
        assert torch.equal(function(graph, given), torch.stack([function(graph, row) for row in given]))


def test_sums_and_maxima_by_hand() -> None:
    graph = Adjacency.from_edge_index(torch.tensor([[0, 1, 2, 2], [1, 1, 0, 1]]), 3)
    values = torch.tensor([[5.0, 1.0, 2.0, 3.0], [1.0, -4.0, -2.0, -3.0]])
    assert torch.equal(segment_sum(graph, values), torch.tensor([[5.0, 6.0, 0.0], [1.0, -9.0, 0.0]]))
    assert torch.equal(segment_max(graph, values), torch.tensor([[5.0, 3.0, -torch.inf], [1.0, -2.0, -torch.inf]]))
    assert torch.equal(sum_by_source(graph, values), torch.tensor([[1.0, 2.0, 8.0], [-4.0, -2.0, -2.0]]))
    assert segment_max(graph, values[0]).shape == (3,)


def test_no_edges(empty: Adjacency) -> None:
    nothing = torch.zeros(K, 0, requires_grad=True)
    for function in (edge_softmax, edge_log_softmax):
        out = function(empty, nothing)
        out.sum().backward()
        assert out.shape == (K, 0)
    assert torch.equal(segment_sum(empty, nothing), torch.zeros(K, 3))
    assert torch.equal(segment_max(empty, nothing), torch.full((K, 3), -torch.inf))


def test_wrong_number_of_edges_is_refused(graph: Adjacency) -> None:
    for function in (edge_softmax, edge_log_softmax, segment_sum, segment_max):
        with pytest.raises(ConfigError, match=f"graph has {graph.num_edges} edges"):
            function(graph, torch.zeros(K, graph.num_edges + 1))
