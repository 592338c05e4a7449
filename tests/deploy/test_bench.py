"""What a student costs: counts by hand, turns that are fair, and a comparison whose figures agree with each other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphstill.deploy.bench import COSTS, bench, latency, ratios, served_bytes
from graphstill.deploy.bench_rounds import MOST, WORKER, Times, take_turns, workers
from graphstill.deploy.bench_table import table
from graphstill.deploy.energy import Energy
from graphstill.deploy.families import plan_of
from graphstill.deploy.multiply_adds import multiply_adds
from graphstill.deploy.onnx_graph import compile_dense
from graphstill.deploy.plan import Dense
from graphstill.errors import ConfigError, DataError, ExportError
from graphstill.nn import Model, make_model
from graphstill.study.recipe import parse_recipe
from graphstill.study.runner import run_recipe
from tests import tiny

RECIPE = """\
name: kd-tiny
task: tiny
student: {name: gcn, hidden: 4}
teacher:
  model: {name: gcn, hidden: 12}
  training: {epochs: 2}
method: kd
training: {epochs: 2}
seeds: 2
"""
# Four nodes, five edges of which one is a self-loop: with one self-loop a node there are eight.
EDGES = np.array([[0, 1, 2, 3, 3], [1, 0, 1, 2, 3]])


def counted(model: Model, folder: Path, stored: int) -> int:
    """Multiply-adds of a network from 5 features to 2 classes on the graph above."""
    plan = plan_of(model.build(5, 2, [0]))
    (folder / "parts").mkdir()
    for name, step in plan.files():
        if isinstance(step, Dense):
            (folder / name).write_bytes(compile_dense(step))
        else:
            np.save(folder / name, step.weight)
    return multiply_adds(folder, plan.describe(), num_nodes=4, features=5, edge_index=EDGES, stored=stored)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"name": "mlp", "hidden": 3, "layers": 2}, 7 * 3 + 4 * 3 * 2),
        ({"name": "gcn", "hidden": 3}, 7 * 3 + 8 * 3 + 4 * 3 * 2 + 8 * 2),
        # Neighbours are summed before the first product, which is wider than x.
        ({"name": "gcn", "hidden": 6}, 8 * 5 + 4 * 5 * 6 + 4 * 6 * 2 + 8 * 2),
        ({"name": "sage", "hidden": 3}, 7 * 6 + 5 * 3 + 4 * 3 * 4 + 5 * 2),
        # Two heads of three: scores of source and target, then the sums; then one head of two.
        (
            {"name": "gat", "hidden": 3, "heads": 2, "out_heads": 1},
            7 * 6 + 4 * 6 * 4 + 8 * (2 + 6) + 4 * 6 * 2 + 4 * 2 * 2 + 8 * (1 + 2),
        ),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_multiply_adds_by_hand(tmp_path: Path, model: dict[str, Any], expected: int) -> None:
    assert counted(make_model(**model), tmp_path, stored=7) == expected


class Recorded:
    """Takes as long as it is told to, and remembers what it was asked."""

    def __init__(self, ms: float, name: str, order: list[str]) -> None:
        self.ms, self.name, self.order = ms, name, order
        self.asked: list[tuple[int, Sequence[Sequence[int]]]] = []

    def run(self, full: int, nodes: Sequence[Sequence[int]]) -> Times:
        self.order.append(self.name)
        self.asked.append((full, nodes))
        calls = full + len(nodes)
        return Times([self.ms] * calls, [self.ms / 2] * calls)


def test_models_take_turns_on_the_same_nodes() -> None:
    order: list[str] = []
    fast, slow = Recorded(1.0, "fast", order), Recorded(100.0, "slow", order)
    found = take_turns({"fast": fast, "slow": slow}, 30, 2, 0.3, Energy(Path("nowhere")))
    assert fast.asked[-6:] == slow.asked[-6:]  # two rounds of full passes, single nodes, batches
    assert order[-12:] == ["fast", "slow"] * 3 + ["slow", "fast"] * 3
    assert [full for full, _ in slow.asked[-6:]] == [3, 0, 0] * 2  # 0.3 s of the slower
    singles, batches = slow.asked[-2][1], slow.asked[-1][1]
    assert (len(singles), {len(nodes) for nodes in singles}) == (3, {1})
    assert sorted(batches[0]) == list(range(30))  # all nodes, each once, where there are fewer than 1,000
    assert found["slow"].node == ([100.0] * 6, [50.0] * 6)
    assert found["fast"].joules == []
    quick = Recorded(0.001, "quick", order)
    take_turns({"quick": quick}, 30, 1, 10.0, Energy(Path("nowhere")))
    assert [len(nodes) or full for full, nodes in quick.asked[-3:]] == [MOST["full"], MOST["node"], MOST["batch"]]


def test_latency_and_ratios() -> None:
    assert latency(list(range(101))) == {"p50": 50.0, "p95": 95.0, "p99": 99.0, "samples": 101}
    ours = {"parameters": 10, "full_ms": latency([2.0]), "memory_mb": 0.0, "joules": 3.0}
    theirs = {"parameters": 25, "full_ms": latency([1.0, 3.0, 50.0]), "memory_mb": 4.0}
    found = ratios(theirs, ours)
    assert {key: value for key, value in found.items() if value is not None} == {"parameters": 2.5, "full_ms": 1.5}
    assert found.keys() == set(COSTS)


def test_bytes_of_what_an_engine_reads() -> None:
    sizes = {"model.onnx": 100, "model.int8.onnx": 30, "parts/0.onnx": 5, "parts/p0.npy": 90, "card.md": 7}
    manifest = {"files": {name: {"bytes": size} for name, size in sizes.items()}}
    assert [served_bytes(manifest, engine) for engine in ("onnx", "int8", "split")] == [100, 30, 95]


def test_energy_of_all_packages(tmp_path: Path) -> None:
    for zone, now in (("intel-rapl:0", 900), ("intel-rapl:0:0", 5), ("intel-rapl:1", 50)):
        (tmp_path / zone).mkdir()
        (tmp_path / zone / "energy_uj").write_text(f"{now}\n")
        (tmp_path / zone / "max_energy_range_uj").write_text("1000\n")
    energy = Energy(tmp_path)
    before = energy.read()
    assert (energy.present, before) == (True, [900, 50])
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("200")  # it wrapped around
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("60")
    assert energy.joules_since(before) == pytest.approx(310e-6)
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert not Energy(tmp_path).present
    assert not Energy(tmp_path / "none").present


@pytest.fixture(scope="module")
def recipe_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    x, edge_index, y = tiny.arrays()
    parts = {"train_idx": np.arange(30), "val_idx": np.arange(30, 70), "test_idx": np.arange(70, 120)}
    np.savez(folder / "tiny.npz", x=x, edge_index=edge_index, y=y, **parts)
    run_recipe(parse_recipe(RECIPE), folder / "run", root=folder)
    return folder / "run"


@pytest.fixture(scope="module")
def found(recipe_run: Path) -> dict[str, Any]:
    return bench(recipe_run, rounds=2, seconds=0.005, engine="split", pyg=True, root=recipe_run.parent)


def test_a_comparison(found: dict[str, Any], recipe_run: Path) -> None:
    assert [row["role"] for row in found["models"]] == ["student", "baseline", "teacher"]
    assert found["ratios"].keys() == {"baseline", "teacher"}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    student, baseline, teacher = found["models"]
    for row in found["models"]:
        assert row["engine"] == "split"
        assert row["memory_mb"] > 0
        for kind in ("node_ms", "batch_ms", "full_ms"):
            assert 0 < row[kind]["p50"] <= row[kind]["p95"] <= row[kind]["p99"]
            assert row[kind]["samples"] == student[kind]["samples"]
            assert row[kind.replace("_ms", "_cpu_ms")] > 0
        result = json.loads((recipe_run / row["role"] / "result.json").read_text())
        assert row["parameters"] == result["parameters"]
        assert row["test"]["member"] == result["test"]["members"][row["member"]]
        assert row["test"]["all_seeds"]["mean"] == pytest.approx(np.mean(result["test"]["mean"]))
    assert student["multiply_adds"] == baseline["multiply_adds"] < teacher["multiply_adds"]
    for cost in ("parameters", "bytes", "multiply_adds"):
        assert found["ratios"]["teacher"][cost] == pytest.approx(teacher[cost] / student[cost], abs=1e-3)
    expected = teacher["full_ms"]["p50"] / student["full_ms"]["p50"]
    assert found["ratios"]["teacher"]["full_ms"] == pytest.approx(expected, abs=1e-3)
    nodes = found["graph"]["nodes"]
    assert student["nodes_per_second"] == pytest.approx(1000 * nodes / student["full_ms"]["p50"], rel=1e-3)
    assert found["pyg"].keys() == {"student in PyG", "baseline in PyG", "teacher in PyG"}
    assert (found["threads"], found["batch_nodes"]) == (1, 120)


def test_the_table_shows_every_model(found: dict[str, Any]) -> None:
    view = table(found)
    assert [column.header for column in view.columns] == [
        *("", "student", "baseline", "teacher", "baseline\n/ student", "teacher\n/ student")
    ]
    rows = dict(zip(view.columns[0]._cells, view.columns[1]._cells, strict=True))
    assert rows["parameters"] == f"{found['models'][0]['parameters']:,}"
    assert "120 nodes, ms p50/p95/p99" in rows
    assert "joules, full graph" not in rows or found["notes"] == []


def test_exported_folders_beside_each_other(recipe_run: Path, tmp_path: Path) -> None:
    from graphstill.deploy.export import export

    folders = [export(recipe_run / part, tmp_path / part) for part in ("student", "teacher")]
    found = bench(folders, rounds=1, seconds=0.002, engine="onnx", root=recipe_run.parent)
    assert [row["role"] for row in found["models"]] == ["student", "teacher"]
    assert found["ratios"]["teacher"]["parameters"] > 1

    arrays = tmp_path / "graph.npz"
    np.savez(arrays, x=np.eye(3, 64, dtype=np.float32), edge_index=EDGES[:, :3] % 3)
    command = [sys.executable, "-P", str(WORKER), str(folders[0]), str(arrays), "1"]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["torch"] is False

    (folders[0] / "model.onnx").unlink()
    with pytest.raises(ExportError, match=r"model\.onnx"), workers({"student": folders[0]}, arrays, 1, None):
        pass
    with pytest.raises(ConfigError, match="each once"):
        bench([folders[1], folders[1]])
    manifest = json.loads((folders[1] / "manifest.json").read_text())
    manifest["protocol"]["nodes"] += 1
    (folders[1] / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="121"):
        bench(folders[1:], root=recipe_run.parent)
    with pytest.raises(ConfigError, match="rounds=0"):
        bench(recipe_run, rounds=0)
