"""Folders: what is refused when one is opened, and what `verify` finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphstill.cli.app import run
from graphstill.errors import ExportError
from graphstill.runtime import Predictor, verify
from graphstill.runtime.manifest import digest, file_entries, read_manifest, write_manifest
from graphstill.runtime.probe import Case, read_probe, write_probe


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(folders["gcn"], tmp_path / "student"))


def change(folder: Path, **keys: Any) -> None:
    """Edit the manifest, digest and all: what a broken exporter would write."""
    manifest = {**json.loads((folder / "manifest.json").read_text()), **keys}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "digest": digest(manifest)}))


def test_a_good_folder(folders: dict[str, Path]) -> None:
    report = verify(folders["gcn"])
    assert report.ok, report.lines
    assert [finding.name for finding in report.findings] == [
        "manifest.json",
        "files",
        "engine onnx",
        "engine int8",
        "engine split",
    ]
    assert all(verify(folder).ok for folder in folders.values())


def test_one_bit_in_any_file(folder: Path) -> None:
    """Of every file in turn, the manifest included."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        spoilt = bytearray(content)
        spoilt[len(spoilt) // 2] ^= 1
        path.write_bytes(bytes(spoilt))
        report = verify(folder)
        assert not report.ok
        name = path.relative_to(folder).as_posix()
        assert any(name in str(finding) for finding in report.findings if not finding.ok), (name, report.lines)
        path.write_bytes(content)
    assert verify(folder).ok


def test_a_plan_that_was_edited(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["plan"][1]["norm"] = "mean"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    report = verify(folder)
    assert [finding.name for finding in report.findings if not finding.ok] == ["manifest.json", "probe"]
    change(folder)  # with a digest that fits, the probe still tells
    assert [finding.name for finding in verify(folder).findings if not finding.ok] == ["engine split"]


def test_files_missing_added_and_cut(folder: Path) -> None:
    (folder / "parts/0.onnx").unlink()
    (folder / "notes.txt").write_text("hello")
    wrong = {finding.name: finding.detail for finding in verify(folder).findings if not finding.ok}
    assert wrong.keys() == {"parts/0.onnx", "notes.txt", "probe"}
    assert wrong["parts/0.onnx"].startswith("missing")
    assert wrong["notes.txt"].startswith("not part of the export")
    with pytest.raises(ExportError, match=r"parts/0.onnx is missing. Where: .*student"):
        Predictor(folder)
    (folder / "parts/0.onnx").write_bytes(b"short")
    with pytest.raises(ExportError, match=r"parts/0.onnx has 5 bytes, the manifest says"):
        Predictor(folder)


def test_a_probe_that_no_longer_fits(folder: Path) -> None:
    cases = read_probe(folder)
    write_probe(folder, [*cases, Case(cases[2].x, cases[2].edge_index, cases[2].logits + 0.005)])
    change(folder, files=file_entries(folder))
    assert [finding.ok for finding in verify(folder).findings[2:]] == [False, True, False]  # int8 may differ by more
    write_probe(folder, [])
    change(folder, files=file_entries(folder))
    assert "the probe is empty" in verify(folder).lines[2]
    (folder / "probe.npz").write_bytes(b"PK\x03\x04 no zip")
    change(folder, files=file_entries(folder))
    assert "probe.npz cannot be read" in verify(folder).lines[0]


def test_a_model_that_does_not_load(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no model")
    change(folder, files=file_entries(folder))
    (wrong,) = (finding for finding in verify(folder).findings if not finding.ok)
    assert wrong.name == "engine onnx"
    assert "ONNX Runtime" in wrong.detail
    np.save(folder / "parts/p.npy", np.zeros(3))
    change(folder, files=file_entries(folder))
    with pytest.raises(ExportError, match=r"p.npy is float64 \[3\], no float32 matrix"):
        Predictor(folder)


def plan(*steps: dict[str, Any]) -> dict[str, Any]:
    return {"plan": list(steps)}


LOOK = {"op": "propagate", "in": "x", "out": "logits", "norm": "sum", "self_loops": True}


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("format=2 is not known, this runtime reads 1", {"format": 2}),
        ("'features' is 'five'", {"features": "five"}),
        ("engine 'fast' is not among", {"engine": "fast"}),
        ("feature_normalization 'column' is not among", {"feature_normalization": "column"}),
        ("an engine without a figure in 'tolerance': 'int8' is not among", {"tolerance": {"onnx": 1, "split": 1}}),
        ("'../x' leads out of the folder", {"files": {"../x": {"bytes": 1, "sha256": ""}}}),
        ("step 0 is {'op': 'jump'}, its 'op' is none of dense", plan({"op": "jump"})),
        (r"step 0 \(propagate\): 'norm' is 3, no str", plan({**LOOK, "norm": 3})),
        ("norm 'max' is none of gcn, mean, sum", plan({**LOOK, "norm": "max"})),
        ("slope 2.0 is above 1", plan({**LOOK, "op": "attend", "in": ["x"] * 3, "heads": 1, "slope": 2.0})),
        (r"step 0 reads \['h'\], which no step before it makes", plan({**LOOK, "in": "h"})),
        ("no step makes 'logits'", plan({**LOOK, "out": "h"})),
    ],
)
def test_manifests_that_are_refused(folder: Path, words: str, keys: dict[str, Any]) -> None:
    change(folder, **keys)
    with pytest.raises(ExportError, match=words) as error:
        Predictor(folder)
    assert str(folder) in str(error.value)


def test_manifests_that_cannot_be_read(folder: Path) -> None:
    for content, words in (("{", "cannot be read"), ("[]", "holds a list"), ('{"format": 1}', "'features' is missing")):
        (folder / "manifest.json").write_text(content)
        with pytest.raises(ExportError, match=words):
            read_manifest(folder)
        assert not verify(folder).ok
    (folder / "manifest.json").unlink()
    with pytest.raises(ExportError, match=r"manifest.json is missing. Where: .*student"):
        Predictor(folder)


def test_the_digest_is_over_canonical_json(tmp_path: Path, folders: dict[str, Path]) -> None:
    assert digest({"b": 1, "a": [1, 2], "digest": "x"}) == digest({"a": [1, 2], "b": 1})
    written = read_manifest(folders["gcn"])
    assert written["files"] == file_entries(folders["gcn"])
    assert digest(written) == written["digest"]
    with pytest.raises(ExportError, match="format=None is not known"):
        write_manifest(tmp_path, {})
    assert not (tmp_path / "manifest.json").exists()


def test_a_folder_without_a_plan_runs_as_one_file(folder: Path) -> None:
    """A module that is not of the zoo: nobody knows how far it looks, so all nodes are computed."""
    whole = Predictor(folder, engine="onnx")
    change(folder, plan=[], engine="onnx")
    blind = Predictor(folder)
    assert (blind.hops, blind.needs_graph, blind.engines) == (None, True, ["onnx", "int8"])
    case = read_probe(folder)[2]
    expected = whole.logits(case.x, case.edge_index)
    np.testing.assert_allclose(blind.logits(case.x, case.edge_index, nodes=[4, 0, 4]), expected[[4, 0, 4]], rtol=1e-6)
    late = (case.edge_index >= 7).any(axis=0)
    old, new = case.edge_index[:, ~late], case.edge_index[:, late]
    np.testing.assert_allclose(blind.logits_new(case.x[:7], old, case.x[7:], new), expected[7:], rtol=1e-5)
    assert verify(folder).ok


def test_the_verb(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    outputs: Callable[[], tuple[str, str]] = capfd.readouterr
    assert run(["verify", str(folder)]) == 0
    assert outputs()[0].startswith("ok    manifest.json: digest ")
    (folder / "extra.bin").write_bytes(b"")
    assert run(["verify", str(folder), "--json"]) == 1
    found = json.loads(outputs()[0])
    assert (found["ok"], found["findings"][1]["name"]) == (False, "extra.bin")
    assert run(["verify", str(folder / "nowhere")]) == 1
