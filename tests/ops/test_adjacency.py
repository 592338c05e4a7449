from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.utils import add_remaining_self_loops

from graphstill.errors import ConfigError, DataError
from graphstill.ops import Adjacency

ARRAYS = ("ptr", "source", "target", "t_ptr", "t_target", "t_order")


def same(a: Adjacency, b: Adjacency) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


def shift(edge_index: Tensor, parts: int, nodes: int) -> Tensor:
    return torch.cat([edge_index + part * nodes for part in range(parts)], dim=1)


@st.composite
def edge_lists(draw: st.DrawFn) -> tuple[Tensor, int]:
    nodes = draw(st.integers(1, 6))
    node = st.integers(0, nodes - 1)
    edges = draw(st.lists(st.tuples(node, node), max_size=15))
    return torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).t().contiguous(), nodes


@given(edge_lists(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_any_edge_list_becomes_sorted_rows_with_a_transpose(case, random) -> None:
    edge_index, nodes = case
    graph = Adjacency.from_edge_index(edge_index, nodes)
    source, target = graph.edge_index()
    assert torch.equal(edge_index[:, graph.order], graph.edge_index())
    assert torch.equal(torch.sort(target * nodes + source).values, target * nodes + source)
    assert torch.equal(graph.ptr.diff().long(), torch.bincount(edge_index[1], minlength=nodes))
    assert torch.equal(graph.order[graph.position], torch.arange(len(source)))
    assert torch.equal(torch.repeat_interleave(torch.arange(nodes), graph.t_ptr.diff()), source[graph.t_order])
    assert torch.equal(graph.t_target.long(), target[graph.t_order])
    assert torch.equal(edge_index[0, graph.order_by_source], source[graph.t_order])
    shuffled = list(range(edge_index.shape[1]))
    random.shuffle(shuffled)
    assert same(graph, Adjacency.from_edge_index(edge_index[:, shuffled], nodes))


@given(edge_lists())
@settings(max_examples=40, deadline=None)
def test_self_loops_as_in_pyg(case) -> None:
    edge_index, nodes = case
    expected = add_remaining_self_loops(edge_index, num_nodes=nodes)[0]
    looped = Adjacency.from_edge_index(edge_index, nodes).with_self_loops()
    assert same(looped, Adjacency.from_edge_index(expected, nodes))
    assert torch.equal(looped.source[looped.loops].long(), torch.arange(nodes))


@pytest.mark.parametrize("loops", [False, True])
def test_gcn_weights_as_in_pyg(graph: Adjacency, edge_index: Tensor, loops: bool) -> None:
    expected_index, weight = gcn_norm(edge_index, None, 9, add_self_loops=loops, dtype=torch.float64)
    expected = torch.zeros(9, 9, dtype=torch.float64).index_put_((expected_index[1], expected_index[0]), weight, True)
    used = graph.with_self_loops() if loops else graph
    assert torch.allclose(used.matrix(used.gcn_weights(torch.float64)).to_dense(), expected)


def test_mean_weights_average(graph: Adjacency) -> None:
    rows = graph.matrix(graph.mean_weights(torch.float64)).to_dense().sum(1)
    assert torch.allclose(rows, (graph.degree() > 0).double())


def test_weights_and_their_matrices_are_made_once(graph: Adjacency) -> None:
    weights = graph.gcn_weights(torch.float32)
    assert graph.gcn_weights(torch.float32) is weights
    assert graph.gcn_weights(torch.float64).dtype == torch.float64
    assert graph.by_source(weights) is graph.by_source(weights)
    assert torch.equal(
        graph.transposed.matrix(graph.by_source(weights)).to_dense(), graph.matrix(weights).to_dense().t()
    )
    foreign = weights.values.clone()
    assert graph.by_source(foreign) is not graph.by_source(foreign)
    assert torch.equal(graph.by_source(foreign), graph.by_source(weights))
    assert graph.with_self_loops() is graph.with_self_loops()
    assert graph.with_self_loops().with_self_loops() is graph.with_self_loops()


def test_disjoint_equals_sorting_the_union(graph: Adjacency, edge_index: Tensor, empty: Adjacency) -> None:
    joined = Adjacency.disjoint([graph, empty, graph.with_self_loops()])
    edges = [graph.edge_index(), graph.with_self_loops().edge_index() + 12]
    expected = Adjacency.from_edge_index(torch.cat(edges, dim=1), 21)
    assert joined.num_nodes == 21
    assert same(joined, expected)
    assert same(joined.with_self_loops(), expected.with_self_loops())
    assert same(joined.repeated(3), expected.repeated(3))
    assert torch.equal(joined.repeated(3).order, expected.repeated(3).order)
    for name in ("ones", "gcn_weights", "mean_weights"):
        assert torch.equal(getattr(joined, name)(torch.float32).values, getattr(expected, name)(torch.float32).values)
    union = Adjacency.disjoint([graph, graph])
    assert torch.equal(shift(edge_index, 2, 9)[:, union.order], union.edge_index())
    assert Adjacency.disjoint([graph]) is graph


def test_repeated_holds_a_copy_a_head(graph: Adjacency) -> None:
    values = torch.rand(graph.num_edges, 2)
    repeated = graph.repeated(2)
    dense = repeated.matrix(values.reshape(-1)[repeated.order]).to_dense()
    for k in range(2):
        assert torch.equal(dense[k::2, k::2], graph.matrix(values[:, k].contiguous()).to_dense())
        assert not dense[k::2, 1 - k :: 2].any()


def test_sums_over_the_edges_of_a_node(graph: Adjacency) -> None:
    values = torch.rand(graph.num_edges, 3, dtype=torch.float64)
    for by_source, ends in ((False, graph.target), (True, graph.source)):
        expected = torch.zeros(9, 3, dtype=torch.float64).index_add_(0, ends, values)
        assert torch.allclose(graph.sum_into(values[None], by_source)[0], expected)
        assert torch.allclose(graph.sum_into(values[None].float(), by_source)[0], expected.float(), atol=1e-5)


def test_moves_between_devices(graph: Adjacency) -> None:
    assert graph.to("cpu") is graph
    moved = graph.to("meta")
    assert (moved.device.type, moved.num_nodes, moved.num_edges) == ("meta", 9, graph.num_edges)


def test_weights_of_another_graph_are_refused(graph: Adjacency) -> None:
    other = graph.with_self_loops()
    x = torch.randn(1, graph.num_nodes, 2)
    for use in (graph.product, graph.transposed_product):
        with pytest.raises(ConfigError, match=r"gcn weights of .* edges come from another graph"):
            use(other.gcn_weights(torch.float32), x)
    with pytest.raises(ConfigError, match="another graph"):
        graph.by_source(copy.deepcopy(graph).mean_weights(torch.float32))


def test_a_copy_works_on_its_own(graph: Adjacency) -> None:
    weights = graph.gcn_weights(torch.float64)
    dense = graph.matrix(weights).to_dense()
    other = copy.deepcopy(graph)
    assert torch.equal(other.matrix(other.gcn_weights(torch.float64)).to_dense(), dense)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        (torch.tensor([[0, 1], [1, 5]]), "node 5"),
        (torch.tensor([[0, -1], [1, 1]]), "node -1"),
        (torch.tensor([0, 1]), r"\[2\]"),
        (torch.rand(2, 3), "float32"),
    ],
)
def test_wrong_edges_are_refused(edges: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Adjacency.from_edge_index(edges, 5)


def test_nothing_to_join_is_refused() -> None:
    with pytest.raises(DataError, match="no graphs"):
        Adjacency.disjoint([])
