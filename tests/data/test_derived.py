"""Tasks made from a task: what is removed, what stays, what the hash says, and that the test set is untouched."""

import pickle
from itertools import pairwise

import pytest
import torch

from graphstill.datasets import load
from graphstill.errors import ConfigError, DataError
from tests.data import toy
from tests.data.test_node_task import edges_of


def test_removed_training_nodes_have_neither_label_nor_edges_and_stay():
    task = toy.task()
    less = task.without_train_nodes(0.5, seed=1)
    gone = sorted(set(toy.TRAIN) - set(less.train_index.tolist()))
    assert len(gone) == 2 and less.protocol()["train"] == 2
    assert less.y[gone].tolist() == [-1, -1] and less.x.shape == task.x.shape
    batch = less.training_batches(0)[0]
    assert batch.nodes.tolist() == list(range(12)) and batch.train_rows.tolist() == less.train_index.tolist()
    assert edges_of(batch) == {edge for edge in edges_of(task.full_batch()) if not set(edge) & set(gone)}
    assert torch.equal(less.val_index, task.val_index) and torch.equal(less.test_index, task.test_index)
    assert task.train_index.tolist() == toy.TRAIN and task.y[gone].tolist() == toy.arrays()["y"][gone].tolist()


def test_a_larger_share_with_the_same_seed_removes_more_of_the_same():
    task = load("digits", train=10)
    kept = [set(task.without_train_nodes(share, seed=3).train_index.tolist()) for share in (0.0, 0.1, 0.35, 0.5)]
    assert [len(nodes) for nodes in kept] == [100, 90, 65, 50]
    assert all(more > less for more, less in pairwise(kept))
    assert kept[3] != set(task.without_train_nodes(0.5, seed=4).train_index.tolist())


def test_the_hash_is_that_of_the_same_data_given_as_arrays():
    for make in (toy.task, toy.multi_label):
        less = make().without_train_nodes(0.25, seed=1)
        again = make(edge_index=less.full_batch().graph.edge_index(), train=less.train_index)
        assert less.hash == again.hash != make().hash
        assert make().to("cpu", torch.float64).without_train_nodes(0.25, seed=1).hash == less.hash


def test_the_whole_task_is_remembered():
    task = toy.task()
    both = task.without_edges(0.2, seed=1).without_train_nodes(0.5, seed=2)
    assert task.origin is None and task.without_edges(0.2).origin is both.origin is task
    assert both.protocol()["edges_removed"] == [{"share": 0.2, "seed": 1}]
    assert both.protocol()["train_removed"] == [{"share": 0.5, "seed": 2}]
    double = both.to("cpu", torch.float64)
    assert double.origin.hash == task.hash and double.origin.x.dtype == torch.float64
    assert pickle.loads(pickle.dumps(both)).origin.hash == task.hash  # noqa: S301


def test_a_teacher_of_the_whole_task_is_known_and_any_other_is_refused():
    task = toy.task()
    fewer = task.without_edges(0.4)
    assert fewer.check_teacher(task.hash, "GCN") is task and fewer.check_teacher(fewer.hash, "GCN") is fewer
    for other in (task.without_edges(0.4, seed=1), task.without_train_nodes(0.5), toy.task(inductive=True)):
        with pytest.raises(DataError, match=f"or on the whole task that it was made from .{task.hash[:12]}"):
            fewer.check_teacher(other.hash, "GCN")
    with pytest.raises(DataError, match="it may have seen this task's test nodes"):
        task.check_teacher(fewer.hash, "GCN")  # less was known, but a chain of exceptions is hard to check


def test_shuffled_labels_are_the_same_labels_in_each_part():
    task = load("digits", train=10)
    shuffled = task.with_shuffled_labels(1)
    for index in (task.train_index, task.val_index):
        assert torch.equal(shuffled.y[index].sort().values, task.y[index].sort().values)
        assert (shuffled.y[index] == task.y[index]).float().mean() < 0.3
    assert shuffled.hash not in (task.hash, task.with_shuffled_labels(2).hash)
    assert shuffled.hash == load("digits", train=10).with_shuffled_labels(1).hash
    assert shuffled.origin is None and task.without_edges(0.5).with_shuffled_labels().origin is None
    assert (shuffled.protocol()["labels_shuffled"], task.protocol()["labels_shuffled"]) == (1, None)
    labels = [made.test.open("a", "validation accuracy").labels() for made in (task, shuffled)]
    assert torch.equal(*labels)


def test_test_labels_are_those_of_the_whole_task_with_a_record_of_their_own():
    task = toy.task()
    less = task.without_train_nodes(0.5)
    task.test.open("a", "validation accuracy")
    opened = less.test.open("a", "validation accuracy")
    assert torch.equal(opened.labels(), toy.arrays()["y"][toy.TEST]) and opened.batch is less.full_batch()


def test_several_graphs_lose_training_nodes_too():
    task = toy.task(**toy.several_graphs())
    less = task.without_train_nodes(0.5, seed=0)
    seen = less.training_batches(0)[0]
    assert set(seen.nodes[seen.train_rows].tolist()) == set(less.train_index.tolist())
    assert less.protocol()["graphs"] == 6 and less.origin is task


def test_a_class_that_loses_all_its_training_nodes_is_announced():
    with pytest.warns(UserWarning, match=r"classes 1 .*0.75 of the training nodes removed"):
        toy.task(train=[0, 6, 10, 1]).without_train_nodes(0.75, seed=0)


@pytest.mark.parametrize("share", [-0.1, 1.0, 0.9, float("nan")])
def test_shares_are_checked(share):
    with pytest.raises(ConfigError, match="without_train_nodes: it is a share of the 4 training nodes"):
        toy.task().without_train_nodes(share)


def test_named_data_loses_edges_and_training_nodes_by_option():
    whole = load("digits", seed=5)
    assert load("digits", seed=5, edges_removed=0.5).hash == whole.without_edges(0.5, seed=5).hash
    assert load("digits", seed=5, train_removed=0.5, train_seed=1).hash == whole.without_train_nodes(0.5, 1).hash
    both = load("digits", seed=5, edges_removed=0.5, train_removed=0.25, edges_seed=2)
    assert both.hash == whole.without_edges(0.5, 2).without_train_nodes(0.25, 5).hash
    assert both.origin.hash == whole.hash and load("digits", edges_removed=0.0).hash == load("digits").hash
    with pytest.raises(ConfigError, match=r"edges_seed=2 with dataset 'digits'.*edges_removed"):
        load("digits", edges_seed=2)
