"""The measured tables on the deployment page are those of the committed raw results."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from graphstill.report.tables import KEYED_BEGIN, KEYED_END

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_deploy", ROOT / "benchmarks" / "deploy.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(key: str) -> str:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    return text.split(KEYED_BEGIN.format(key))[1].split(KEYED_END.format(key))[0].strip()


def test_students(script: ModuleType) -> None:
    rows = json.loads(script.RESULT.read_text("utf-8"))["rows"]
    assert shown("deploy") == script.table(rows), "run `python benchmarks/deploy.py --update`"
    worse = [{**rows[0], "runtime_test": {"onnx": rows[0]["run_test"] - 0.001}}]
    with pytest.raises(SystemExit, match="the runtime is not the run"):
        script.table(worse)


def test_the_student_to_ship(script: ModuleType) -> None:
    found = json.loads(script.BENCH.read_text("utf-8"))
    assert shown("bench") == script.bench_text(found)
    comparison = json.loads((ROOT / "benchmarks" / "results" / "kd-small-cora.json").read_text("utf-8"))
    models = {model["role"]: model for model in found["models"]}
    for part in ("teacher", "baseline", "student"):
        assert models[part]["parameters"] == comparison[part]["parameters"]
