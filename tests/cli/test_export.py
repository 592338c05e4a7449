"""`graphstill export` on a run that `graphstill train` made."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from graphstill.runtime import verify
from tests.cli.conftest import Result


def test_export(graphstill: Callable[..., Result]) -> None:
    trained = graphstill("train", "mlp", "digits", "training.epochs=3", "seeds=2", "--dir", "run")
    assert trained.code == 0
    exported = graphstill("export", "run", "--out", "student", "--int8", "dynamic", "--member", "1", "--json")
    assert exported.code == 0 and exported.json["member"] == 1
    assert exported.json["int8"]["validation_nodes"] == 300, "the recipe's data, loaded again"
    assert verify("student").ok
    again = graphstill("export", "run", "--out", "student")
    assert again.code == 1 and "exists already" in again.err
    everyone = graphstill("export", "run", "--out", "student", "--member", "ensemble", "--overwrite")
    assert everyone.code == 0 and "member ensemble" in everyone.out and "the graph of digits" in everyone.out


def test_export_without_the_data(graphstill: Callable[..., Result]) -> None:
    """Engines are then timed on a random graph; 8 bits are refused, since nothing would measure them."""
    graphstill("train", "mlp", "digits", "training.epochs=2", "seeds=1", "--dir", "run")
    recipe = Path("run/recipe.yaml")
    recipe.write_text(recipe.read_text().replace("name: digits", "name: gone"))
    exported = graphstill("export", "run", "--out", "student")
    assert exported.code == 0 and "a random graph" in exported.out and "without the data" in exported.err
    refused = graphstill("export", "run", "--out", "other", "--int8", "static")
    assert refused.code == 3 and not Path("other").exists()


def test_what_is_no_run(graphstill: Callable[..., Result]) -> None:
    result = graphstill("export", "nothing", "--out", "student")
    assert result.code == 1 and "holds no run" in result.err and not Path("student").exists()


def test_export_images(graphstill: Callable[..., Result]) -> None:
    """Of a recipe's folder the student; `bench` says why it measures none of them."""
    recipe = {
        "name": "images",
        "task": {"name": "digits-images", "per_class": 2, "val_per_class": 2},
        "student": {"name": "resnet", "depth": 8, "width": 0.25},
        "teacher": {"model": {"name": "resnet", "depth": 8, "width": 0.25}, "training": {"epochs": 1}},
        "method": "kd",
        "training": {"epochs": 1},
        "seeds": 1,
    }
    Path("recipe.yaml").write_text(json.dumps(recipe))
    assert graphstill("distill", "recipe.yaml", "--dir", "run").code == 0
    exported = graphstill("export", "run", "--out", "student")
    assert exported.code == 0 and "engine: onnx (the only one; 64 images)" in exported.out
    manifest = json.loads(Path("student/manifest.json").read_text())
    assert manifest["results"]["gain"] and "20 validation images of digits-images" in manifest["parity"]["cases"]
    assert graphstill("verify", "student").code == 0
    for source in ("run", "student"):
        measured = graphstill("bench", source)
        assert measured.code == 2 and "network of images" in measured.err
