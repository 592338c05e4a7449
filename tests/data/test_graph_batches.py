from itertools import pairwise

import pytest
import torch
from torch_geometric.data import Batch as PyGBatch
from torch_geometric.data import Data

from graphstill.data import NodeTask
from graphstill.errors import ConfigError
from tests.data import toy


def graphs_of(task, batch):
    """Numbers of the graphs of a batch, in its order."""
    return torch.bucketize(batch.nodes, task.graph_ptr, right=True).sub(1).unique_consecutive().tolist()


def make(batch_graphs=2, **changes):
    return NodeTask.from_arrays(**(toy.several_graphs() | changes), batch_graphs=batch_graphs)


def test_an_epoch_holds_every_training_graph_once():
    task = make()
    batches = task.training_batches(0)
    assert len(batches) == 2
    assert sorted(graph for batch in batches for graph in graphs_of(task, batch)) == [0, 1, 2, 3]
    assert [len(graphs_of(task, batch)) for batch in make(3).training_batches(0)] == [3, 1]
    for batch in batches:
        assert not batch.full
        assert batch.train_rows.tolist() == list(range(len(batch.nodes))) and batch.val_rows.tolist() == []


def test_the_order_is_a_pure_function_of_seed_and_epoch():
    def order(task, epoch, seed=0):
        return [graphs_of(task, batch) for batch in task.training_batches(epoch, seed)]

    task = make(1)
    later = [order(task, epoch) for epoch in range(8)]
    fresh = make(1)
    torch.manual_seed(5)
    assert [order(fresh, epoch) for epoch in reversed(range(8))] == later[::-1]
    assert len({str(epoch) for epoch in later}) > 4
    assert [order(task, epoch, seed=1) for epoch in range(8)] != later


def test_a_union_is_that_of_pyg():
    given, task = toy.several_graphs(), make(2)
    ptr = given["graph_ptr"].tolist()

    def pyg(graph):
        begin, end = ptr[graph], ptr[graph + 1]
        edges = given["edge_index"]
        inside = (edges[0] >= begin) & (edges[0] < end)
        return Data(x=given["x"][begin:end], edge_index=edges[:, inside] - begin, y=given["y"][begin:end])

    for batch in task.training_batches(3):
        expected = PyGBatch.from_data_list([pyg(graph) for graph in graphs_of(task, batch)])
        assert torch.equal(batch.x, expected.x) and torch.equal(batch.y, expected.y)
        found, wanted = (
            {tuple(edge) for edge in edges.t().tolist()} for edges in (batch.graph.edge_index(), expected.edge_index)
        )
        assert found == wanted


def test_sparse_features_follow_their_nodes():
    dense, sparse = make().training_batches(1), make(x=toy.several_graphs()["x"].to_sparse()).training_batches(1)
    for a, b in zip(dense, sparse, strict=True):
        assert torch.equal(a.x, b.x.to_dense()) and torch.equal(a.nodes, b.nodes)


def test_batches_are_made_when_asked_for_and_can_be_cut():
    batches = make(1).training_batches(0)
    assert torch.equal(batches[-1].nodes, batches[3].nodes)
    assert [batch.nodes.tolist() for batch in batches[1:3]] == [batches[1].nodes.tolist(), batches[2].nodes.tolist()]
    with pytest.raises(IndexError):
        batches[4]


@pytest.mark.parametrize("batch_graphs", [None, 4, 9])
def test_all_training_graphs_at_once_are_one_constant_batch(batch_graphs):
    task = make(batch_graphs)
    (batch,) = task.training_batches(0)
    assert batch.full and graphs_of(task, batch) == [0, 1, 2, 3]
    assert task.training_batches(1, seed=2)[0] is batch


def test_validation_and_test_have_their_own_graphs():
    task = make()
    assert task.inductive and task.protocol()["setting"] == "inductive" and task.protocol()["graphs"] == 6
    validation = task.validation_batch()
    assert validation is task.validation_batch() and graphs_of(task, validation) == [4]
    assert validation.val_rows.tolist() == [0, 1, 2] and validation.train_rows.tolist() == []
    opened = task.test.open("run", "validation accuracy")
    assert graphs_of(task, opened.batch) == [5] and opened.index.tolist() == [0, 1, 2, 3]
    assert opened.labels().tolist() == toy.several_graphs()["y"][-4:].tolist()
    assert task.y[-4:].tolist() == [-1] * 4
    assert graphs_of(task, task.full_batch()) == list(range(6))


def test_graphs_in_no_part_are_left_out():
    given = toy.several_graphs(kinds=(0, 7, 0, 0, 1, 2))
    task = NodeTask.from_arrays(**given, batch_graphs=1)
    assert sorted(graph for batch in task.training_batches(0) for graph in graphs_of(task, batch)) == [0, 2, 3]


def test_pyg_graphs_make_the_same_task_as_their_arrays():
    given = toy.several_graphs()
    ptr, edges = given["graph_ptr"].tolist(), given["edge_index"]
    graphs = []
    for begin, end in pairwise(ptr):
        inside = (edges[0] >= begin) & (edges[0] < end)
        graphs.append(Data(x=given["x"][begin:end], edge_index=edges[:, inside] - begin, y=given["y"][begin:end]))
    task = NodeTask.from_graphs(graphs[:4], graphs[4:5], graphs[5:], batch_graphs=2)
    assert task.hash == make().hash
    assert [batch.nodes.tolist() for batch in task.training_batches(2)] == [
        batch.nodes.tolist() for batch in make().training_batches(2)
    ]


def test_removed_edges_stay_within_their_graphs():
    task = make().without_edges(0.5)
    total = sum(batch.graph.num_edges for batch in task.training_batches(0)) + task.validation_batch().graph.num_edges
    assert (
        total + task.test.open("run", "validation accuracy").batch.graph.num_edges == task.num_edges < make().num_edges
    )


@pytest.mark.parametrize(("task", "number"), [(toy.arrays(), 2), (toy.several_graphs(), 0)])
def test_batch_graphs_is_for_several_graphs(task, number):
    with pytest.raises(ConfigError, match=f"batch_graphs={number} of task 'custom'"):
        NodeTask.from_arrays(**task, batch_graphs=number)
