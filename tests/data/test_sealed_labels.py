import re

import pytest
import torch

from graphstill.data import NodeTask, accuracy, micro_f1
from graphstill.errors import DataError, SealError
from tests.data import toy


def public_state(thing, depth=0):
    """All that can be reached through public attributes and the methods that training uses, as text."""
    if isinstance(thing, torch.Tensor):
        return str(thing.tolist())
    if isinstance(thing, str | int | float | bool | type(None)):
        return repr(thing)
    if isinstance(thing, dict):
        return str({key: public_state(value, depth + 1) for key, value in thing.items()})
    if isinstance(thing, list | tuple):
        return str([public_state(value, depth + 1) for value in thing])
    if depth > 4 or callable(thing):
        return ""
    found = {key: public_state(getattr(thing, key), depth + 1) for key in dir(thing) if not key.startswith("_")}
    if isinstance(thing, NodeTask):
        for batches in (thing.training_batches(0), [thing.validation_batch(), thing.full_batch()]):
            found[f"batches {len(found)}"] = public_state(list(batches), depth + 1)
        found["protocol"], found["repr"] = public_state(thing.protocol()), repr(thing)
    return str(found)


@pytest.mark.parametrize("inductive", [False, True])
@pytest.mark.parametrize("make", [toy.task, toy.multi_label])
def test_nothing_public_tells_two_tasks_apart_that_differ_in_test_labels(make, inductive):
    task = make(inductive=inductive)
    y = torch.tensor([[1.0, 0, 1], [0, 1, 0]]).repeat(6, 1) if task.multi_label else toy.arrays()["y"]
    other_y = y.clone()
    other_y[toy.TEST] = 1 - other_y[toy.TEST]
    other = toy.task(y=other_y, inductive=inductive)

    def shown(a):
        return public_state(a).replace(a.hash, "HASH").replace(a.hash[:12], "HASH")

    assert shown(task) == shown(other)
    assert task.hash != other.hash  # the labels did differ
    shown_label = toy.task(y=torch.where(torch.arange(12) == 0, 1, toy.arrays()["y"]), inductive=inductive)
    assert shown(shown_label) != shown(toy.task(inductive=inductive))  # and the comparison can tell


@pytest.mark.parametrize("inductive", [False, True])
def test_an_opened_test_scores_each_member_on_test_nodes_only(inductive):
    opened = toy.task(inductive=inductive).test.open("run", "validation accuracy")
    assert opened.batch.nodes[opened.index].tolist() == toy.TEST and len(opened.batch.nodes) == 12
    assert opened.batch.y[opened.index].tolist() == [-1, -1, -1]  # the labels stay out of the batch
    logits = torch.randn(4, 12, 2, generator=torch.Generator().manual_seed(1))
    truth = toy.arrays()["y"][toy.TEST]
    assert torch.equal(opened.labels(), truth)
    assert torch.equal(opened.score(logits), accuracy(logits[:, toy.TEST], truth))
    with pytest.raises(DataError, match=r"logits \[4, 3, 2\] given to OpenedTest.score: give \[members, 12, outputs\]"):
        opened.score(logits[:, toy.TEST])


def test_multi_label_test_sets_are_scored_by_micro_f1():
    opened = toy.multi_label().test.open("run", "validation micro_f1")
    logits = torch.randn(2, 12, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(opened.score(logits), micro_f1(logits[:, toy.TEST], opened.labels()))


def test_each_run_opens_once_and_is_recorded():
    test = toy.task().test
    assert test.openings == []
    test.open("a", "validation accuracy")
    test.open("b", "Validation loss")
    with pytest.raises(SealError, match="run 'a' opened the test set before, at 20"):
        test.open("a", "validation accuracy")
    assert [(opening["run"], opening["selected_by"]) for opening in test.openings] == [
        ("a", "validation accuracy"),
        ("b", "Validation loss"),
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", opening["time"]) for opening in test.openings)
    test.openings.clear()  # a copy: the record stays
    assert len(test.openings) == 2


@pytest.mark.parametrize(
    ("run", "selected_by", "message"),
    [
        ("a", "test accuracy", "selected by 'test accuracy'"),
        ("a", "best of validation and test", "opened only for a model selected by validation"),
        ("a", "", "opened only for a model selected by validation"),
        ("", "validation accuracy", "without the name of a run"),
    ],
)
def test_the_test_set_stays_shut_for_who_did_not_select_by_validation(run, selected_by, message):
    test = toy.task().test
    with pytest.raises(SealError, match=message):
        test.open(run, selected_by)
    assert test.openings == []


def test_a_copy_of_another_float_type_shares_the_record_and_one_of_other_edges_does_not():
    task = toy.task()
    double, fewer = task.to("cpu", torch.float64), task.without_edges(0.5)
    task.test.open("a", "validation accuracy")
    with pytest.raises(SealError, match="opened the test set before"):
        double.test.open("a", "validation accuracy")
    opened = fewer.test.open("a", "validation accuracy")
    assert opened.batch.graph.num_edges == fewer.num_edges < task.num_edges
    assert torch.equal(opened.labels(), toy.arrays()["y"][toy.TEST])
