"""One's own network and one's own data, from training elsewhere to a folder and a comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import graphstill as gs
from graphstill.cli.app import app
from graphstill.deploy.bench_names import named
from graphstill.errors import ConfigError, DataError
from graphstill.runtime import Predictor, verify
from tests.tiny import tiny_task

QUICK: dict[str, Any] = {"rounds": 1, "seconds": 0.002}
TRAINING = gs.Training(epochs=3)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from torch_geometric.nn import GATConv

        self.conv, self.out = GATConv(64, 4, heads=2), nn.Linear(8, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        logits: Tensor = self.out(self.conv(x, edge_index).relu())
        return logits


class TakesData(Own):
    def forward(self, data: Any) -> Tensor:  # type: ignore[override]
        return super().forward(data.x, data.edge_index)


@pytest.fixture(scope="module")
def network() -> Own:
    torch.manual_seed(0)
    return Own()


@pytest.fixture(scope="module")
def student() -> gs.Run:
    return gs.distill(gs.models.GCN(hidden=4), tiny_task(), teacher=Own(), method=gs.KD(), seeds=5, training=TRAINING)


@pytest.mark.filterwarnings("ignore::graphstill.errors.GraphstillWarning")
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_module_is_exported_as_it_is(network: Own, wrapped: bool, tmp_path: Path) -> None:
    task = tiny_task()
    path = gs.export(gs.Teacher(network) if wrapped else network, tmp_path / "mine", task=task)
    batch = task.full_batch()
    with torch.no_grad():
        expected = network.eval()(torch.as_tensor(batch.x), batch.graph.edge_index()).numpy()
    found = Predictor(path).logits(np.asarray(batch.x), batch.graph.edge_index().numpy())
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert verify(path).ok and task.test.openings == []
    text = (path / "card.md").read_text()
    assert "the test set was left sealed" in text and "this network was trained elsewhere" in text


def test_what_an_export_cannot_know_is_asked_for(network: Own, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Own is given without its data: give task="):
        gs.export(network, tmp_path / "out")
    with pytest.raises(ConfigError, match="a dict is given"):
        gs.export({}, tmp_path / "out", task=tiny_task())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore::graphstill.errors.GraphstillWarning")
def test_networks_of_every_kind_beside_each_other(
    network: Own, student: gs.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = tiny_task()
    folder, saved = student.export(tmp_path / "folder"), student.save(tmp_path / "saved")
    given = {"student": student, "mine": network, "by data": TakesData(), "folder": folder, "saved": saved}
    rows = gs.bench(given, task=task, **QUICK)
    assert [row["role"] for row in rows] == list(given)
    printed = capsys.readouterr().out
    assert "by data" in printed and "foreign(Own)" in printed and printed == f"{rows}\n"
    by_role = {row["role"]: row for row in rows}
    assert by_role["mine"]["parameters"] == sum(p.numel() for p in network.parameters())
    assert by_role["mine"]["engine"] == "onnx" and by_role["mine"]["node_ms"]["p50"] > 0
    eager = by_role["by data"]
    assert eager["engine"] == "torch" and eager["full_ms"]["p50"] > 0
    assert eager["node_ms"] is None and eager["bytes"] is None
    assert any("takes a PyG Data" in note for note in rows.details["notes"])
    ratio = by_role["mine"]["parameters"] / by_role["student"]["parameters"]
    assert by_role["mine"]["ratios"]["parameters"] == pytest.approx(ratio, abs=1e-3)
    for part in ("folder", "saved"):
        assert by_role[part]["test"] == by_role["student"]["test"]
    assert json.loads(json.dumps(list(rows), allow_nan=False)) == list(rows)
    assert task.test.openings == []
    alone = gs.bench(TakesData(), task=task, show=False, **QUICK)
    assert alone[0]["nodes_per_second"] > 0 and capsys.readouterr().out == ""


def test_names(network: Own, student: gs.Run, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert list(named([network, student, tmp_path / "a"])) == ["Own", student.name, "a"]
    assert list(named([network, gs.Teacher(network), student])) == ["Own (1)", "Own (2)", student.name]
    assert list(named(["x/a", "y/a", network])) == ["x/a", "y/a", "Own"]
    for nothing in ([], {}, [tmp_path, tmp_path]):
        with pytest.raises(ConfigError, match="each once"):
            named(nothing)


@pytest.fixture(scope="module")
def folders(student: gs.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same student exported, the run as `train` saves it, and its data in a file."""
    place = tmp_path_factory.mktemp("own")
    student.export(place / "out", task=tiny_task())
    student.save(place / "run")
    tiny_task().save(place / "mine.npz")
    tiny_task(inductive=True).save(place / "other.npz")
    return place


def test_the_command_finds_one_s_own_data(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSTILL_DATA", str(folders / "nowhere"))
    command = ["bench", str(folders / "out"), str(folders / "run"), "--rounds", "1", "--json"]
    done = CliRunner().invoke(app, [*command, "--task", str(folders / "mine.npz")])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [row["role"] for row in found["models"]] == ["out", "run"]
    assert found["graph"]["hash"] == tiny_task().hash
    refused = CliRunner().invoke(app, [*command, "--task", str(folders / "other.npz")])
    assert isinstance(refused.exception, DataError) and "not on task 'tiny'" in str(refused.exception)
    monkeypatch.setenv("GRAPHSTILL_DATA", str(folders))
    for source, kind, message in (
        ("out", DataError, r"task\.save\('FILE.npz'\) writes"),
        ("run", ConfigError, r"does not hold its data .*--task FILE.npz"),
    ):
        without = CliRunner().invoke(app, ["bench", str(folders / source)])
        assert isinstance(without.exception, kind)
        with pytest.raises(kind, match=message):
            raise without.exception


def test_the_command_exports_with_one_s_own_data(folders: Path, tmp_path: Path) -> None:
    command = ["export", str(folders / "run"), "--out", str(tmp_path / "out"), "--int8", "dynamic", "--json"]
    done = CliRunner().invoke(app, [*command, "--task", str(folders / "mine.npz")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["timing"]["graph"] == "the graph of tiny"


def test_a_recipe_of_one_s_own_data(folders: Path, tmp_path: Path) -> None:
    from graphstill.deploy.bench import bench
    from graphstill.study.recipe import parse_recipe
    from graphstill.study.runner import run_recipe

    text = f"""\
name: own
task: {{name: {folders / "other.npz"}}}
student: {{name: gcn, hidden: 4}}
teacher: {{model: {{name: gcn, hidden: 6}}, training: {{epochs: 2}}}}
method: kd
training: {{epochs: 2}}
seeds: 5
"""
    found = run_recipe(parse_recipe(text), tmp_path / "own")
    assert found["protocol"]["setting"] == "inductive" and found["data_hash"] == tiny_task(inductive=True).hash
    assert [row["role"] for row in bench(tmp_path / "own", **QUICK)["models"]] == ["student", "baseline", "teacher"]
    path = gs.export(tmp_path / "own", tmp_path / "out")
    card, gain = (path / "card.md").read_text(), found["comparison"]["mean"]["summary"]
    mean = 100 * np.mean(found["baseline"]["test"]["mean"])
    assert f"| test, the plain student (its twin), accuracy (5 seeds) | {mean:.2f}" in card
    assert f"| gain over the plain student, mean, paired by seed | {gain} |" in card


def test_a_baseline_given(student: gs.Run, tmp_path: Path) -> None:
    task = tiny_task()
    twin = gs.train(gs.models.GCN(hidden=4), task, seeds=5, training=TRAINING)
    twin.save(tmp_path / "twin")
    wide = gs.train(gs.models.GCN(hidden=9), task, seeds=5, training=TRAINING)
    cards = [
        (student.export(tmp_path / f"{i}", baseline=baseline) / "card.md").read_text()
        for i, baseline in enumerate((twin, tmp_path / "twin", wide, None))
    ]
    for card in cards[:2]:
        assert "(its twin)" in card and str(gs.compare(student, twin)) in card
    assert "(gcn, hidden=9" in cards[2] and str(gs.compare(student, wide)) in cards[2]
    assert "not known: no undistilled twin was trained beside it, or given as baseline" in cards[3]
    plain = (twin.export(tmp_path / "plain") / "card.md").read_text()
    assert "none: this network was trained on labels alone" in plain
    with pytest.raises(ConfigError, match="different seeds"):
        student.export(tmp_path / "no", baseline=gs.train(gs.models.GCN(hidden=4), task, training=TRAINING))
    sealed = gs.evaluate([twin.member(i) for i in range(5)], task, open_test=False)
    with pytest.raises(ConfigError, match="left sealed"):
        student.export(tmp_path / "no", baseline=sealed)
