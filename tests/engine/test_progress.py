"""Who watches sees a line; nobody else does."""

from __future__ import annotations

import io
import sys

import pytest

import graphstill as gs
from graphstill.engine import progress
from tests.tiny import tiny_task


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def trained(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, **options: object) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "EACH", 0.0)
    gs.train(gs.models.GCN(hidden=2), tiny_task(), training=gs.Training(epochs=3), name="mine", **options)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_line_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = trained(monkeypatch, Terminal())
    lines = shown.split("\r\x1b[K")
    assert lines[1].startswith("mine: epoch 1 of 3, validation 0.") and "s left" in lines[2]
    assert lines[3].startswith("mine: epoch 3 of 3") and shown.endswith("\n") and "left" not in lines[3]


def test_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained(monkeypatch, Terminal(), progress=False) == "" == trained(monkeypatch, io.StringIO())
    assert trained(monkeypatch, io.StringIO(), progress=True) != ""
    monkeypatch.setenv("GRAPHSTILL_PROGRESS", "0")
    assert trained(monkeypatch, Terminal()) == ""
    seen: list[int] = []
    assert trained(monkeypatch, Terminal(), progress=lambda epoch, *_: seen.append(epoch)) == "" and seen == [1, 2, 3]
