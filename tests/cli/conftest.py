"""The command, run in this process: exit code, standard output, standard error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from graphstill.cli.app import run

RECIPE = """\
name: kd-digits
task: digits
student: {name: gcn, hidden: 8}
teacher:
  model: {name: gcn, hidden: 16}
  training: {epochs: 6}
method: kd
training: {epochs: 4}
seeds: 2
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        assert self.out.count("\n") == 1
        value: dict[str, Any] = json.loads(self.out)
        assert isinstance(value, dict)
        return value


@pytest.fixture
def graphstill(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """`graphstill("list", "methods")`, in an empty folder, without a data root."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAPHSTILL_DATA", "")  # restored after the test, whatever --root makes of it
    monkeypatch.delenv("GRAPHSTILL_DATA")

    def call(*arguments: str) -> Result:
        capfd.readouterr()
        code = run(list(arguments))
        return Result(code, *capfd.readouterr())

    return call


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return str(tmp_path / "recipe.yaml")
