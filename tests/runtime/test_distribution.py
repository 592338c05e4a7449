"""graphstill-runtime, built from the sources and run where there is nothing but numpy and onnxruntime."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

ROOT = Path(__file__).parents[2]
RUN = "import runpy, sys; sys.path.append(sys.argv[1]); del sys.argv[1]; "
VERB = RUN + "sys.argv[0] = 'graphstill'; runpy.run_module('graphstill.runtime', run_name='__main__', alter_sys=False)"
EVERYTHING = (
    RUN
    + """
import importlib, pkgutil
import graphstill as gs, graphstill.runtime, graphstill.serve
for package in (gs.runtime, gs.serve):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
for name in ("train", "datasets", "KD"):
    try:
        getattr(gs, name)
    except ModuleNotFoundError as error:
        print(error)
"""
)
# What `pip install --no-deps` leaves: the command's own libraries are missing as well.
BARE = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "torch_geometric", "typer", "rich", "click", "pydantic", "yaml", "scipy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
from graphstill.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: the built wheel, numpy and onnxruntime."""
    place = tmp_path_factory.mktemp("distribution")
    shutil.copytree(ROOT / "packaging" / "runtime", place / "packaging" / "runtime")
    (place / "src").symlink_to(ROOT / "src")
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(place)!r})"
    done = subprocess.run(
        [sys.executable, "-c", build],
        cwd=place / "packaging" / "runtime",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = place.glob("graphstill_runtime-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place / "site")
    packages = Path(np.__file__).parents[1]
    for needed in (packages / "numpy", packages / "numpy.libs", Path(onnxruntime.__file__).parent):
        if needed.exists():
            (place / "site" / needed.name).symlink_to(needed)
    return place / "site"


def run(code: str, site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", code, str(site), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_holds_what_it_imports_and_not_what_trains(site: Path) -> None:
    done = run(EVERYTHING, site)
    assert done.returncode == 0, done.stderr
    assert "graphstill.train needs 'graphstill.engine'" in done.stdout
    assert done.stdout.count("pip install graphstill") == 3
    held = {path.name for path in (site / "graphstill").iterdir()}
    assert {"runtime", "serve", "__init__.py"} <= held and not {"cli", "engine", "models.py"} & held
    (entry,) = site.glob("*.dist-info/entry_points.txt")
    assert "graphstill = graphstill.runtime.__main__:main" in entry.read_text()
    (metadata,) = site.glob("*.dist-info/METADATA")
    asked = [line for line in metadata.read_text().splitlines() if line.startswith("Requires-Dist") and ";" not in line]
    assert {line.split()[1].split(">")[0] for line in asked} == {"numpy", "onnxruntime"}


def test_nothing_in_it_imports_what_is_not_there(site: Path) -> None:
    """Functions import too: every module of graphstill that a file names is in the wheel."""
    there = {
        ".".join(path.relative_to(site).with_suffix("").parts).removesuffix(".__init__")
        for path in (site / "graphstill").rglob("*.py")
    }
    for path in (site / "graphstill").glob("*/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "graphstill":
                named = {f"{node.module}.{alias.name}" for alias in node.names}
                assert node.module in there if node.module != "graphstill" else named <= there, (path.name, named)


def test_the_verb(site: Path, folders: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(folders["gcn"], tmp_path / "student")
    done = run(VERB, site, "verify", copy)
    assert done.returncode == 0, done.stderr
    assert "engine split: differs by" in done.stdout
    assert json.loads(run(VERB, site, "verify", copy, "--json").stdout)["ok"] is True
    (copy / "model.onnx").write_bytes(b"")
    assert run(VERB, site, "verify", copy).returncode == 1
    other = run(VERB, site, "train", "cora")
    assert other.returncode == 2 and "pip install graphstill" in other.stderr
    assert run(VERB, site).returncode == 2


def test_the_command_without_its_libraries(folders: dict[str, Path]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", BARE, "verify", str(folders["gcn"])],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert "engine onnx: differs by" in done.stdout
