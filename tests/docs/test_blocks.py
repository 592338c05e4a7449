"""Every block of Python in README and docs passes mypy, strict, and runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.nn import GCNConv

import graphstill as gs
from graphstill.engine import loop
from graphstill.methods import METHODS
from tests import tiny_graphs
from tests.docs.blocks import GIVEN, ROOT, Page, pages
from tests.strictly import checked

PAGES = pages()


class Conv1(torch.nn.Module):
    """Somebody's network, with a layer to tap."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.last = GCNConv(64, 8), torch.nn.Linear(8, 10)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.last(self.conv1(x, edge_index).relu())
        return logits


def test_every_block_has_its_types(tmp_path: Path) -> None:
    names: dict[str, str] = {}
    for number, page in enumerate(PAGES):
        before = [GIVEN[name][0] for name in page.taken_for_granted]
        lines = ["from __future__ import annotations", *dict.fromkeys("\n".join(before).splitlines())]
        text = "\n".join([*lines, *(code for code, _ in page.blocks)])
        names[f"page{number}.py"] = page.name
        (tmp_path / f"page{number}.py").write_text(text, encoding="utf-8")
    told = checked(tmp_path, ROOT / "docs" / "plugin" / "graphstill_sure")
    for file, page_name in names.items():
        told.stdout = told.stdout.replace(str(tmp_path / file), page_name)
    assert told.returncode == 0, told.stdout + told.stderr


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Two epochs, two seeds, embedded data; everything that is written lands elsewhere, what is registered goes."""
    registered = dict(METHODS)
    begin, load, seeds = loop.Loop.__init__, gs.datasets.load, gs.engine.api.check_seeds  # type: ignore[attr-defined]

    def short(self: Any, experiment: Any, *rest: Any) -> None:
        how = replace(experiment.training, epochs=min(2, experiment.training.epochs), warmup=0, select_after=0)
        begin(self, replace(experiment, training=how), *rest)

    def embedded(*_: Any, **options: Any) -> gs.NodeTask:
        kept = {key: value for key, value in options.items() if key in ("positions", "train")}
        return load("digits", **kept)

    monkeypatch.setattr(loop.Loop, "__init__", short)
    monkeypatch.setattr("graphstill.engine.api.check_seeds", lambda given: seeds(given)[:2])
    monkeypatch.setattr(gs.datasets, "load", embedded)
    monkeypatch.setattr(gs.datasets, "load_graphs", lambda *_, **__: tiny_graphs.task())
    monkeypatch.chdir(tmp_path)
    for file in ("mine.npz", "large.npz"):
        load("digits").save(file)
    yield
    METHODS.clear()
    METHODS.update(registered)


@pytest.mark.usefixtures("small")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "README.md"], ids=lambda page: page.name)
def test_every_block_runs(page: Page) -> None:
    names: dict[str, Any] = {"torch": torch, "gs": gs, "Conv1": Conv1, "Data": Data}
    for name in page.taken_for_granted:
        exec(GIVEN[name][1] or GIVEN[name][0], names)
    for code, reason in page.blocks:
        if reason is None:
            exec(compile(code, page.name, "exec"), names)


def test_few_blocks_are_not_run() -> None:
    every = [reason for page in PAGES for _, reason in page.blocks]
    assert sum(reason is not None for reason in every) <= len(every) // 8, "what is shown should run"
