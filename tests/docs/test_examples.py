"""Docstrings of what `import graphstill as gs` gives: nearly each has an example, and every example runs."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch

import graphstill as gs
from graphstill.engine import loop
from graphstill.methods import CLASSES
from graphstill.nn.foreign import own
from graphstill.testing import methods, models
from tests import tiny_graphs
from tests.tiny import tiny_task

NAMES = sorted({*gs._HOMES, *CLASSES})
#: `bench` takes a minute, and so does what it returns; the other two set what holds for the whole process.
WITHOUT = {"bench", "Measured", "allocator", "threads", "ImageTask"}


def example_of(name: str, names: dict[str, Any]) -> doctest.DocTest:
    thing = getattr(gs, name)
    return doctest.DocTestParser().get_doctest(thing.__doc__ or "", names, f"gs.{name}", None, None)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What examples take for granted; trainings are cut to two epochs."""
    begin = loop.Loop.__init__

    def short(self: Any, experiment: Any, *rest: Any) -> None:
        how = replace(experiment.training, epochs=2, warmup=0, select_after=0)
        begin(self, replace(experiment, training=how), *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "__init__", short)
        patch.chdir(tmp_path_factory.mktemp("examples"))
        task, student, graphs = tiny_task(), gs.models.GCN(hidden=8, layers=3), tiny_graphs.task()
        graph_student = gs.models.GIN(hidden=8, layers=2, readout="mean")
        run = gs.train(student, task, seeds=2)
        yield {
            **{"gs": gs, "torch": torch, "task": task, "student": student, "graphs": graphs, "run": run},
            **{"graph_student": graph_student, "graph_teacher": gs.train(graph_student, graphs)},
            **{"teacher": gs.train(student, task, seeds=2), "network": run.member()},
        }


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT])
def test_examples(name: str, names: dict[str, Any]) -> None:
    test = example_of(name, names)
    assert test.examples, f"gs.{name} has no example in its docstring"
    told: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.append)
    assert not told, "".join(told)


@pytest.mark.parametrize("module", [own, methods, models], ids=lambda module: module.__name__)
def test_examples_of_plug_ins(module: ModuleType) -> None:
    assert doctest.testmod(module) == (0, {own: 3, methods: 2, models: 2}[module])


def test_nearly_every_name_has_one() -> None:
    assert set(NAMES) > WITHOUT and len(WITHOUT) <= 0.1 * len(NAMES)
    assert not [name for name in WITHOUT if example_of(name, {}).examples], "it has one: take it off the list"
