import json
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse
import torch
from torch_geometric.data import Data
from torch_geometric.utils import subgraph

from graphstill.data import NodeTask, random_split
from graphstill.errors import ConfigError, DataError
from graphstill.ops.sparse_features import SparseFeatures
from tests.data import toy


def edges_of(batch):
    """Edges of a batch, as pairs of node numbers of the task."""
    return set(map(tuple, batch.nodes[batch.graph.edge_index()].t().tolist()))


def pyg_data(**changes):
    given = toy.arrays()
    data = Data(x=given["x"], edge_index=given["edge_index"], y=given["y"])
    for part in ("train", "val", "test"):
        mask = torch.zeros(12, dtype=torch.bool)
        mask[given[part]] = True
        data[f"{part}_mask"] = mask
    for key, value in changes.items():
        data[key] = value
    return data


def test_transductive_training_and_validation_share_one_batch_of_everything():
    task = toy.task()
    batch = task.training_batches(0)[0]
    assert len(task.training_batches(0)) == 1 and batch.full
    assert task.training_batches(7, seed=3)[0] is batch is task.validation_batch() is task.full_batch()
    assert batch.nodes.tolist() == list(range(12))
    assert batch.train_rows.tolist() == toy.TRAIN and batch.val_rows.tolist() == toy.VAL
    assert edges_of(batch) == set(map(tuple, toy.arrays()["edge_index"].t().tolist()))


def test_only_labels_of_training_and_validation_nodes_are_shown():
    y, hidden = toy.task().y, [4, 5, 9, 10, 11]
    assert y[hidden].tolist() == [-1] * 5
    assert torch.equal(y[toy.TRAIN + toy.VAL], toy.arrays()["y"][toy.TRAIN + toy.VAL])
    y = toy.multi_label().y
    assert torch.isnan(y[hidden]).all() and not torch.isnan(y[toy.TRAIN + toy.VAL]).any()


def test_inductive_training_sees_neither_test_nodes_nor_their_edges():
    task, given = toy.task(inductive=True), toy.arrays()
    batch = task.training_batches(0)[0]
    kept = torch.tensor([node for node in range(12) if node not in toy.TEST])
    assert torch.equal(batch.nodes, kept) and batch.full
    assert torch.equal(batch.x, given["x"][kept])
    expected, _ = subgraph(kept, given["edge_index"], relabel_nodes=True, num_nodes=12)
    assert set(map(tuple, batch.graph.edge_index().t().tolist())) == set(map(tuple, expected.t().tolist()))
    assert batch.nodes[batch.train_rows].tolist() == toy.TRAIN
    assert task.validation_batch() is batch and batch.nodes[batch.val_rows].tolist() == toy.VAL
    assert torch.equal(batch.y[batch.val_rows], given["y"][toy.VAL])
    assert len(task.full_batch().nodes) == 12 and not task.full_batch().full


def test_sizes_and_metric():
    task = toy.task()
    assert (task.num_nodes, task.num_edges, task.in_features, task.num_outputs) == (12, 30, 3, 2)
    assert (task.metric, task.multi_label) == ("accuracy", False)
    task = toy.multi_label()
    assert (task.metric, task.multi_label, task.num_outputs) == ("micro_f1", True, 3)
    assert toy.task(num_classes=5).num_outputs == 5


def test_a_pyg_data_and_its_arrays_make_the_same_task():
    task = NodeTask(pyg_data(), name="mine")
    assert task.hash == toy.task().hash and task.name == "mine" and task.split == "public"
    column = NodeTask(pyg_data(y=toy.arrays()["y"].view(-1, 1)))
    assert column.hash == task.hash


def test_several_masks_of_a_pyg_data_are_chosen_by_number():
    masks = {
        f"{part}_mask": torch.eye(12, 10, dtype=torch.bool).roll(shift, 0)
        for shift, part in enumerate(("train", "val", "test"))
    }
    with pytest.warns(UserWarning, match="classes 0"):
        task = NodeTask(pyg_data(**masks), split=3)
    assert [task.train_index.tolist(), task.val_index.tolist(), task.test_index.tolist()] == [[3], [4], [5]]
    assert task.split == "public 3 of 10"


def test_splits_are_drawn_or_given():
    data = pyg_data(val_mask=None, test_mask=None)  # only some masks: of no use, but no obstacle to another split
    drawn = NodeTask(data, split="random", train=6, val=3, seed=1)
    given = NodeTask(data, split=random_split(12, 6, 3, seed=1))
    assert drawn.hash == given.hash != NodeTask(data, split="random", train=6, val=3, seed=2).hash
    arrays = {key: value for key, value in toy.arrays().items() if key in ("x", "edge_index", "y")}
    assert NodeTask.from_arrays(**arrays, split="random", train=6, val=3, seed=1).hash == drawn.hash
    per_class = NodeTask.from_arrays(**arrays, split="per-class", train=2, val=2)
    assert torch.bincount(per_class.y[per_class.train_index]).tolist() == [2, 2]
    with pytest.raises(DataError, match="a split, with train and val as sizes"):
        NodeTask.from_arrays(**toy.arrays(split="random"))


def test_unused_edge_features_are_announced():
    with pytest.warns(UserWarning, match="edge_attr of the data are not used"):
        NodeTask(pyg_data(edge_attr=torch.ones(30, 2)))


def shuffled_edges():
    edges = toy.arrays()["edge_index"]
    return edges[:, torch.randperm(edges.shape[1], generator=torch.Generator().manual_seed(0))]


@pytest.mark.parametrize(
    "changes",
    [
        {"edge_index": shuffled_edges()},
        {"edge_index": toy.arrays()["edge_index"].int()},
        {"edge_index": toy.arrays()["edge_index"].numpy()},
        {"x": toy.arrays()["x"].double().numpy()},
        {"x": toy.arrays()["x"].to_sparse()},
        {"x": toy.arrays()["x"].to_sparse_csr()},
        {"x": scipy.sparse.coo_matrix(toy.arrays()["x"].numpy())},
        {"x": SparseFeatures.from_dense(toy.arrays()["x"])},
        {"sparse": True},
        {"train": toy.TRAIN[::-1]},
        {"y": toy.arrays()["y"].int()},
        {"y": torch.where(torch.arange(12) < 10, toy.arrays()["y"], -1)},  # labels of nodes in no part
        {"name": "another"},
    ],
)  # fmt: skip
def test_the_hash_is_that_of_the_content(changes):
    assert toy.task(**changes).hash == toy.task().hash


def one_changed(key, index, value):
    array = toy.arrays()[key].clone()
    array[index] = value
    return {key: array}


@pytest.mark.parametrize(
    "changes",
    [
        one_changed("x", (3, 1), 0.5),
        one_changed("x", (11, 2), 0.0),
        {"edge_index": toy.arrays()["edge_index"][:, 1:]},
        {"edge_index": toy.arrays()["edge_index"].flip(0)[:, 1:]},
        one_changed("y", 0, 1),
        one_changed("y", 2, 1),
        one_changed("y", 4, 1),  # a test label
        {"test": [4, 5, 10]},
        {"train": [0, 1, 6]},
        {"train": toy.VAL, "val": toy.TRAIN},
        {"inductive": True},
        {"num_classes": 3},
        {"normalize": "row"},
    ],
)
def test_the_hash_changes_with_anything_that_is_learnt_from(changes):
    assert toy.task(**changes).hash != toy.task().hash


def test_a_teacher_from_other_data_is_refused():
    task, other = toy.task(), toy.task(inductive=True)
    task.check_teacher(task.hash, "teacher GAT")
    with pytest.raises(DataError, match=f"teacher GAT was made from other data .hash {other.hash[:12]}"):
        task.check_teacher(other.hash, "teacher GAT")


def test_features_are_kept_sparse_where_they_are_sparse():
    dense = torch.zeros(12, 20)
    dense[torch.arange(12), torch.arange(12)] = 2.0
    assert isinstance(toy.task(x=dense).x, SparseFeatures)  # 5 % of non-zeros
    assert isinstance(toy.task(x=dense, sparse=False).x, torch.Tensor)
    assert isinstance(toy.task(x=toy.arrays()["x"].to_sparse()).x, SparseFeatures)  # stored so
    assert isinstance(toy.task(x=toy.arrays()["x"].to_sparse(), sparse=False).x, torch.Tensor)
    assert torch.equal(toy.task(x=dense).x.to_dense(), dense)
    dense[:, :5] = 1.0
    assert isinstance(toy.task(x=dense).x, SparseFeatures)  # 28 %
    dense[:, 5] = 1.0
    assert isinstance(toy.task(x=dense).x, torch.Tensor)  # 32 %


def test_rows_are_normalised_alike_dense_and_sparse():
    x = toy.arrays()["x"].clone()
    x[4] = 0
    dense = toy.task(x=x, normalize="row").x
    assert torch.allclose(dense.sum(dim=1), torch.tensor([1.0] * 4 + [0.0] + [1.0] * 7))
    assert torch.allclose(dense[0], x[0] / x[0].sum())
    assert torch.allclose(toy.task(x=x, sparse=True, normalize="row").x.to_dense(), dense)


def test_the_given_arrays_are_not_changed():
    given = toy.arrays(x=scipy.sparse.csr_matrix(([1.0, 0.0, 2.0], [1, 2, 2], [0, 3, *[3] * 11]), shape=(12, 3)))
    before = given["x"].copy()
    NodeTask.from_arrays(**given, normalize="row")
    assert given["x"].nnz == before.nnz and (given["x"] != before).nnz == 0
    assert torch.equal(given["y"], toy.arrays()["y"])


def test_edges_go_in_both_directions_together():
    task = toy.task()
    fewer = task.without_edges(0.4, seed=1)
    assert fewer.num_edges == 30 - 2 * 6
    assert edges_of(fewer.full_batch()) < edges_of(task.full_batch())
    assert {edge[::-1] for edge in edges_of(fewer.full_batch())} == edges_of(fewer.full_batch())
    assert edges_of(task.without_edges(0.8, seed=1).full_batch()) < edges_of(fewer.full_batch())
    assert fewer.hash == task.without_edges(0.4, seed=1).hash
    assert len({fewer.hash, task.hash, task.without_edges(0.4, seed=2).hash}) == 3
    assert task.without_edges(0.0).hash == task.hash
    removed = fewer.without_edges(0.5, seed=3).protocol()["edges_removed"]
    assert removed == [{"share": 0.4, "seed": 1}, {"share": 0.5, "seed": 3}]
    assert task.protocol()["edges_removed"] == [] and task.num_edges == 30
    with pytest.raises(ConfigError, match=r"share=1 in without_edges"):
        task.without_edges(1)


def test_another_float_type_is_the_same_data():
    task = toy.multi_label()
    double = task.to("cpu", torch.float64)
    assert double.hash == task.hash
    batch = double.training_batches(0)[0]
    assert batch.x.dtype == batch.y.dtype == torch.float64
    assert task.training_batches(0)[0].x.dtype == torch.float32
    assert toy.task(sparse=True).to("cpu", torch.float64).x.dtype == torch.float64


def test_a_task_travels_between_processes():
    task = toy.task(inductive=True, x=toy.arrays()["x"].to_sparse())
    task.training_batches(0)[0].graph.gcn_weights(torch.float32)
    copy = pickle.loads(pickle.dumps(task))  # noqa: S301
    assert copy.hash == task.hash and copy.protocol() == task.protocol()
    assert torch.equal(copy.training_batches(0)[0].nodes, task.training_batches(0)[0].nodes)
    assert torch.equal(copy.test.open("run", "validation").labels(), task.test.open("run", "validation").labels())


def test_the_protocol_is_plain_and_complete():
    protocol = toy.task(inductive=True, normalize="row", name="toy").protocol()
    assert json.loads(json.dumps(protocol)) == protocol
    shown = {
        key: protocol[key] for key in ("dataset", "setting", "selection", "split", "train", "val", "test", "edges")
    }
    assert shown == {
        "dataset": "toy", "setting": "inductive", "selection": "validation accuracy", "split": "given",
        "train": 4, "val": 3, "test": 3, "edges": 30,
    }  # fmt: skip


def test_a_class_without_training_node_is_announced():
    with pytest.warns(UserWarning, match="classes 1 .1 of 2. have no training node in split 'given'"):
        toy.task(train=[0, 6])
    with pytest.warns(UserWarning, match="labels 1 .1 of 3. have no training node"):
        toy.multi_label(train=[0, 6])


def test_a_graph_without_edges_is_a_task():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = toy.task(edge_index=np.zeros((2, 0), dtype=np.int64))
    assert task.num_edges == 0 and task.training_batches(0)[0].graph.num_nodes == 12
