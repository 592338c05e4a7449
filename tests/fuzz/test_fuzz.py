"""A seeded sample of malformed inputs: each is accepted, or refused by an error of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphstill as gs
from tests.fuzz.harness import campaign, cases
from tests.tiny import tiny_task


def exported_student(folder: Path) -> Path:
    run = gs.train(gs.models.GCN(hidden=4), tiny_task(), training=gs.Training(epochs=1))
    return gs.export(run, folder, task=tiny_task())


@pytest.mark.parametrize(("kind", "count"), [("recipe", 250), ("npz", 120), ("images", 30), ("folder", 60)])
def test_no_malformed_input_gets_through(
    kind: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHSTILL_CACHE", str(tmp_path / "cache"))
    exported = exported_student(tmp_path / "exported") if kind == "folder" else None
    counts, examples = campaign(cases([kind], count, 0, exported), tmp_path / "cases")
    assert not examples, examples
    assert sum(times for ended, times in counts.items() if ended.endswith("refused")) > count / 4, counts
