"""No exception that a user can cause is other than a GraphstillError: odd arguments for every public function."""

from __future__ import annotations

import dataclasses
import itertools
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import graphstill as gs
from graphstill.errors import GraphstillError
from graphstill.method import Method
from graphstill.methods import CLASSES
from graphstill.models import MODELS
from tests.data import toy

ODD: list[Any] = [
    *(None, True, -1, 0, 2**70, -(2**70), 0.5, float("nan"), float("inf"), "", "x", b"x", [], [1, "a"], {}, {"a": 1}),
    *((), set(), object(), Path("nowhere"), torch.zeros(0), torch.zeros(3, 3), np.array("a"), np.array([]), len, int),
    *(torch.tensor(float("nan")), [[1], [2, 3]], range(3), 1 + 2j, "../x", "cora\n"),
]
ONE = gs.Training(epochs=1)


def refused_in_words(call: Callable[[], Any], what: str) -> None:
    """It works, or raises one of ours with a message of a readable length."""
    message = "a message that can be read"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call()
        except GraphstillError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - what this test is about
            pytest.fail(f"{what} raises {type(error).__name__}: {str(error)[:200]}")
    assert 10 < len(message) < 3000, f"{what}: {message}"


def options_of(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls) if field.init]


CONSTRUCTORS = [*CLASSES.values(), *MODELS.values(), gs.Training]


@pytest.mark.parametrize("cls", CONSTRUCTORS, ids=lambda cls: cls.__name__)
def test_constructors(cls: Any) -> None:
    for name, value in itertools.product(options_of(cls), ODD):
        refused_in_words(lambda n=name, v=value: cls(**{n: v}), f"{cls.__name__}({name}={value!r})")


def test_sums_of_methods() -> None:
    for value in ODD:
        refused_in_words(lambda v=value: gs.KD() * v, f"KD() * {value!r}")
        refused_in_words(lambda v=value: gs.KD() + v, f"KD() + {value!r}")


ARGUMENTS = (
    *("x", "edge_index", "y", "train", "val", "test", "graph_ptr", "num_classes", "name", "split", "seed"),
    *("inductive", "normalize", "sparse", "batch_graphs", "metric"),
)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_tasks(name: str) -> None:
    for value in ODD:
        refused_in_words(lambda v=value: toy.task(**{name: v}), f"NodeTask.from_arrays({name}={value!r})")


def test_reading() -> None:
    for value in ODD:
        for read in (gs.datasets.load, gs.datasets.load_images, gs.NodeTask, gs.NodeTask.from_npz, gs.Run.load):
            refused_in_words(lambda r=read, v=value: r(v), f"{read.__qualname__}({value!r})")
        for key in ("split", "seed", "train", "val", "k", "edges_removed", "positions", "walk_roots", "metric"):
            call = f"load('digits', {key}={value!r})"
            refused_in_words(lambda k=key, v=value: gs.datasets.load("digits", **{k: v}), call)


def test_changes_of_tasks() -> None:
    task = toy.task()
    for change in (task.without_edges, task.without_train_nodes, task.with_shuffled_labels, task.with_positions):
        for value in ODD:
            refused_in_words(lambda c=change, v=value: c(v), f"{change.__name__}({value!r})")
    for value in ODD:
        refused_in_words(lambda v=value: task.with_walks(v), f"with_walks({value!r})")
        refused_in_words(lambda v=value: task.to(v), f"to({value!r})")


def test_training() -> None:
    task, model, rng = toy.task(), gs.models.GCN(hidden=2), random.Random(0)
    run = gs.train(model, task, training=ONE)
    calls: list[tuple[str, Callable[[Any], Any]]] = [
        ("train(model)", lambda v: gs.train(v, task, training=ONE)),
        ("train(task)", lambda v: gs.train(model, v, training=ONE)),
        ("train(seeds)", lambda v: gs.train(model, task, training=ONE, seeds=v)),
        ("train(training)", lambda v: gs.train(model, task, training=v)),
        ("train(start)", lambda v: gs.train(model, task, training=ONE, start=v)),
        ("distill(method)", lambda v: gs.distill(model, task, method=v, training=ONE)),
        ("distill(teacher)", lambda v: gs.distill(model, task, method=gs.KD(), teacher=v, training=ONE)),
        ("distill(peers)", lambda v: gs.distill(model, task, method=gs.DML(), peers=v, training=ONE)),
        ("distill(teacher_graph)", lambda v: gs.distill(
            model, task, method=gs.KD(), teacher=run, teacher_graph=v, training=ONE)),
        ("compare(run)", lambda v: gs.compare(v, run)),
        ("compare(baseline)", lambda v: gs.compare(run, v)),
        ("compare(figure)", lambda v: gs.compare(run, run, v)),
        ("member", run.member),
        ("foreign(factory)", gs.models.foreign),
        ("export(run)", lambda v: gs.export(v, "never")),
        ("Ensemble(run)", lambda v: gs.distill(model, task, method=gs.KD(), teacher=gs.Ensemble(v), training=ONE)),
        ("Teacher(module)", lambda v: gs.distill(model, task, method=gs.KD(), teacher=gs.Teacher(v), training=ONE)),
        ("evaluate(module)", lambda v: gs.evaluate(v, task)),
    ]  # fmt: skip
    for name, call in calls:
        for value in rng.sample(ODD, len(ODD)):
            refused_in_words(lambda c=call, v=value: c(v), f"{name} = {value!r}")
    assert not Path("never").exists()


def test_a_method_of_ones_own_that_is_none() -> None:
    class Wrong(Method):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Wrong()
