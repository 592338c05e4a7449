"""The folder that an export makes: what is in it, when it is refused, and that nothing half written stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import graphstill as gs
from graphstill.deploy import engines, parity, subject
from graphstill.deploy.quantize import calibration_feeds, quantize
from graphstill.errors import ConfigError, DataError, ExportError
from graphstill.nn import make_model
from graphstill.runtime import Predictor, verify
from tests.deploy.test_plans import run as run_onnx
from tests.tiny import arrays, tiny_task

TRAINING = gs.Training(epochs=3)
PARTS = {"train": np.arange(30), "val": np.arange(30, 70), "test": np.arange(70, 120)}


@pytest.fixture(scope="module")
def run() -> gs.Run:
    return gs.train(gs.models.GCN(hidden=64), tiny_task(), seeds=3, training=TRAINING)


@pytest.fixture(scope="module")
def folder(run: gs.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.export(tmp_path_factory.mktemp("export") / "student", task=tiny_task(), int8="dynamic")


def manifest_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "manifest.json").read_text())
    assert isinstance(found, dict)
    return found


def full(task: gs.NodeTask) -> tuple[np.ndarray, np.ndarray]:
    batch = task.full_batch()
    return batch.x.numpy(), batch.graph.edge_index().numpy()  # type: ignore[union-attr]


@torch.no_grad()
def test_the_file_computes_what_the_member_does(run: gs.Run, folder: Path) -> None:
    x, edge_index = full(tiny_task())
    expected = run.member()(torch.from_numpy(x), torch.from_numpy(edge_index)).numpy()
    np.testing.assert_allclose(run_onnx((folder / "model.onnx").read_bytes(), x, edge_index), expected, atol=1e-5)
    for engine in ("onnx", "split"):
        np.testing.assert_allclose(Predictor(folder, engine=engine).logits(x, edge_index), expected, atol=1e-5)


def test_the_manifest_says_what_it_is(run: gs.Run, folder: Path) -> None:
    found = manifest_of(folder)
    best = run.best_member()
    assert found["member"] == best and found["results"]["seeds"] == [run.seeds[best]]
    assert found["results"]["validation"] == [run.validation[best]]
    assert found["results"]["test"] == run.result["test"]["members"][best]
    assert found["results"]["all_seeds"]["accuracy"]["seeds"] == 3 and found["results"]["gain"] is None
    assert found["inputs"] == ["x", "edge_index", "degree"] and found["hops"] == 2
    assert found["data_hash"] == tiny_task().hash
    assert found["engine"] in ("onnx", "split") and found["timing"]["graph"] == "the graph of tiny"
    times = found["timing"]["milliseconds"]
    assert times[found["engine"]] == min(times["onnx"], times["split"])
    assert {"isolated" in case for case in found["parity"]["cases"]} == {True, False}
    assert all(found["parity"]["engines"][name]["difference"] <= 1e-5 for name in ("model.onnx", "onnx", "split"))
    assert all(found["parity"]["engines"][name]["agreement"] == 1.0 for name in ("model.onnx", "onnx", "split"))
    assert set(found["files"]) == {p.relative_to(folder).as_posix() for p in folder.rglob("*.*")} - {"manifest.json"}


def test_int8_is_smaller_and_measured_on_validation(run: gs.Run, folder: Path) -> None:
    found, task = manifest_of(folder)["int8"], tiny_task()
    x, edge_index = full(task)
    assert found["bytes"] == (folder / "model.int8.onnx").stat().st_size < found["bytes_float"]
    logits = torch.from_numpy(run_onnx((folder / "model.int8.onnx").read_bytes(), x, edge_index))
    rows = task.val_index
    assert found["validation"] == float((logits[rows].argmax(1) == task.y[rows]).double().mean())
    assert found["validation_float"] == run.validation[run.best_member()] and found["validation_nodes"] == len(rows)


def test_static_int8_sees_no_validation_or_test_node(run: gs.Run, tmp_path: Path) -> None:
    """Their features may be anything: the file is the same to the byte."""
    path = run.export(tmp_path / "a", task=tiny_task(), int8="static", engine="int8")
    assert manifest_of(path)["engine"] == "int8" and manifest_of(path)["int8"]["kind"] == "static"
    x, edge_index, y = arrays()
    changed = x.copy()
    changed[30:] = 1e6
    task = gs.NodeTask.from_arrays(changed, edge_index, y, **PARTS, sparse=False)
    feeds = calibration_feeds(task, ["x", "edge_index", "degree"])
    assert len(feeds[0]["x"]) == 30 and feeds[0]["edge_index"].max() < 30
    assert quantize((path / "model.onnx").read_bytes(), "static", feeds) == (path / "model.int8.onnx").read_bytes()


def test_it_verifies_and_its_card_tells(folder: Path) -> None:
    report = verify(folder)
    assert report.ok, report.lines
    card = (folder / "card.md").read_text()
    found = manifest_of(folder)
    for told in (
        "gcn (hidden=64",
        f"{100 * found['results']['test']:.2f}",
        "int8 (dynamic)",
        "a single node",
        "Limits",
    ):
        assert told in card
    code = card.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) <= 6
    x, edge_index = full(tiny_task())
    names: dict[str, Any] = {"x": x, "edge_index": edge_index}
    exec(code.replace('"student"', repr(str(folder))), names)
    assert names["labels"].shape == (120,)


@torch.no_grad()
def test_the_weights_make_the_network_again(run: gs.Run, folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    cohort = make_model(**config["model"]).build(config["inputs"], config["outputs"], [0])
    cohort.load_member_state(0, load_file(folder / "weights.safetensors"))
    x, edge_index = map(torch.from_numpy, full(tiny_task()))
    assert torch.equal(cohort.member(0)(x, edge_index), run.member()(x, edge_index))
    pyg = cohort.to_pyg(0)
    pyg.load_state_dict(load_file(folder / config["pyg"]["weights"]))
    torch.testing.assert_close(pyg(x, edge_index), run.member()(x, edge_index))


@torch.no_grad()
def test_an_ensemble_of_seeds_and_one_member_by_number(run: gs.Run, tmp_path: Path) -> None:
    path = run.export(tmp_path / "all", member="ensemble")
    found = manifest_of(path)
    assert found["member"] == "ensemble" and found["members"] == 3
    assert "random graph of 120 nodes" in found["timing"]["graph"], "without a task"
    x, edge_index = full(tiny_task())
    p = torch.stack([run.member(i)(*map(torch.from_numpy, (x, edge_index))).softmax(-1) for i in range(3)]).mean(0)
    np.testing.assert_allclose(Predictor(path).probabilities(x, edge_index), p.numpy(), atol=1e-5)
    assert "1.convs.0.weight" in load_file(path / "weights.safetensors")
    assert manifest_of(run.export(tmp_path / "two", member=2))["results"]["seeds"] == [2]


def test_the_ensemble_of_peers_scores_as_the_engine_says(tmp_path: Path) -> None:
    """Of different architectures, on the test nodes: the figure that stands in the card."""
    task = tiny_task()
    models = [gs.models.GCN(hidden=8), gs.models.MLP(hidden=8)]
    group = gs.distill(models, task, method=gs.Independent(), seeds=2, training=TRAINING)
    path = gs.export(group, tmp_path / "group", member="ensemble", task=task)
    found = manifest_of(path)
    sums = [sum(group.validation[i : i + 2]) for i in (0, 2)]
    seed = sums.index(max(sums))
    assert (
        found["results"]["test"] == group.result["test"]["ensemble"][seed] and found["results"]["seeds"] == [seed] * 2
    )
    opened = task.test.open("a look for this test", "validation")
    logits = torch.from_numpy(Predictor(path).logits(*full(task)))
    assert float(opened.score(logits[None])[0]) == pytest.approx(found["results"]["test"])
    assert [model["name"] for model in found["model"]["models"]] == ["gcn", "mlp"]


def test_multi_label_and_a_network_without_a_graph(tmp_path: Path) -> None:
    task = tiny_task(multi_label=True)
    run = gs.train(gs.models.MLP(hidden=8, batch_norm=True), task, training=TRAINING)
    path = run.export(tmp_path / "mlp", task=task)
    found, predictor = manifest_of(path), Predictor(path)
    assert found["inputs"] == ["x"] and found["multi_label"] and not predictor.needs_graph
    x, edge_index = map(torch.from_numpy, full(task))
    with torch.no_grad():
        expected = run.member()(x, edge_index).numpy()
    np.testing.assert_allclose(predictor.logits(x.numpy()), expected, atol=1e-5)


def test_sparse_features_too_large_to_be_made_dense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that would make them dense is not given the task's graph, and is not the default."""
    task = gs.NodeTask.from_arrays(*arrays(), **PARTS, name="tiny", sparse=True)
    run = gs.train(gs.models.GCN(hidden=8), task, training=TRAINING)
    monkeypatch.setattr(engines, "DENSE_LIMIT", 1000)
    found = manifest_of(run.export(tmp_path / "student", task=task))
    assert found["engine"] == "split" and list(found["timing"]["milliseconds"]) == ["split"]
    assert "the graph of tiny" in [row["case"] for row in found["parity"]["every"]["split"]]
    assert "the graph of tiny" not in [row["case"] for row in found["parity"]["every"]["onnx"]]


def test_features_with_positions_are_given_ready_made(tmp_path: Path) -> None:
    """Normalising them again as a whole would be wrong, so `prepare` leaves them alone."""
    x, edge_index, y = arrays()
    task = gs.NodeTask.from_arrays(x, edge_index, y, **PARTS, normalize="row").with_positions(4)
    run = gs.train(gs.models.MLP(hidden=8), task, training=TRAINING)
    path = run.export(tmp_path / "student", task=task)
    assert manifest_of(path)["features"] == 68 and manifest_of(path)["feature_normalization"] is None
    assert "with_positions" in (path / "card.md").read_text()


def test_from_folders_of_runs(run: gs.Run, tmp_path: Path) -> None:
    """Of a recipe's folder the student, with the gain that stands beside it."""
    run.save(tmp_path / "runs" / "student")
    summary = "+1.00 [+0.50, +1.50] p=0.010 (3 seeds)"
    (tmp_path / "runs" / "comparison.json").write_text(json.dumps({"comparison": {"mean": {"summary": summary}}}))
    path = gs.export(tmp_path / "runs", tmp_path / "out")
    assert manifest_of(path)["results"]["gain"] == {"mean": summary} and summary in (path / "card.md").read_text()
    assert manifest_of(gs.export(tmp_path / "runs" / "student", tmp_path / "out2"))["results"]["gain"]


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_broken_parity_writes_nothing(run: gs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_plan = subject.compile_plan

    def broken(plan: Any) -> bytes:
        weight = next(step for step in plan.steps if hasattr(step, "weight")).weight
        weight[0, 0] += 0.1
        model = compile_plan(plan)
        weight[0, 0] -= 0.1
        return model

    monkeypatch.setattr(subject, "compile_plan", broken)
    with pytest.raises(ExportError, match=r"'model.onnx' differs from the trained network by 0\.\d+ on a graph with"):
        run.export(tmp_path / "student")
    assert left(tmp_path) == []


def test_not_a_number_is_no_parity() -> None:
    assert parity.difference(np.array([[np.nan]]), np.array([[0.0]])) == float("inf")
    with pytest.raises(ExportError, match="differs"):
        parity.check([{"case": "x", "difference": float("inf"), "agreement": 1.0}], "onnx")


def test_an_existing_folder_is_kept_unless_told_otherwise(run: gs.Run, tmp_path: Path) -> None:
    path = run.export(tmp_path / "student", member=0)
    with pytest.raises(ExportError, match="exists already"):
        run.export(path, member=1)
    with pytest.raises(ConfigError, match="member=7"):
        run.export(path, member=7, overwrite=True)
    assert manifest_of(path)["member"] == 0, "the old one survives a failure"
    run.export(path, member=1, overwrite=True)
    assert manifest_of(path)["member"] == 1 and left(tmp_path) == ["student"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(ExportError, match="no exported folder"):
        run.export(tmp_path / "mine", overwrite=True)


def test_options_that_make_no_sense(run: gs.Run, tmp_path: Path) -> None:
    for options, error, message in (
        ({"int8": "dynamic"}, ConfigError, "give task="),
        ({"int8": "dynamc", "task": tiny_task()}, ConfigError, "did you mean 'dynamic'"),
        ({"engine": "splt"}, ConfigError, "did you mean 'split'"),
        ({"engine": "int8"}, ConfigError, "this network has onnx, split"),
        ({"member": "best"}, ConfigError, "give a number from 0 to 2"),
        ({"task": tiny_task(multi_label=True)}, DataError, "is not the data of run"),
    ):
        with pytest.raises(error, match=message):
            run.export(tmp_path / "student", **options)  # type: ignore[arg-type]
    assert left(tmp_path) == []


def test_without_the_extra(run: gs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "onnx.checker", None)
    with pytest.raises(ExportError, match=r"pip install 'graphstill\[export\]'"):
        run.export(tmp_path / "student")
