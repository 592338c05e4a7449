"""The runtime needs numpy and onnxruntime, and nothing else that is installed here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime

import graphstill
from tests.runtime.image_folders import write

NOT_NEEDED = ("torch", "torch_geometric", "scipy", "sklearn", "pydantic", "typer", "yaml", "onnx")

IMPORT = f"""
import sys, graphstill.runtime
loaded = set({NOT_NEEDED}) & set(sys.modules)
sys.exit(f"imported: {{loaded}}" if loaded else 0)
"""

PREDICT = f"""
import importlib.util, sys
sys.path.append(sys.argv[1])
for name in {NOT_NEEDED}:
    assert importlib.util.find_spec(name) is None, name
try:
    import torch
except ModuleNotFoundError:
    print("no torch")
import numpy
from graphstill.runtime import Graph, ImagePredictor, Predictor, verify
report = verify(sys.argv[2])
assert report.ok, report.lines
graph = Graph([[0, 1, 2], [1, 2, 2]], 4)
x = [[float(i * j % 3) for j in range(5)] for i in range(4)]
for engine in ("split", "onnx"):
    predictor = Predictor(sys.argv[2], engine=engine)
    labels = predictor.predict(predictor.prepare(x), graph, nodes=[3, 1])
    new = predictor.logits_new(x, graph, x[:1], [[0, 4], [4, 0]])
    print(engine, labels.tolist(), new.shape)
images = ImagePredictor(sys.argv[3])
assert verify(sys.argv[3]).ok
print(images.predict(numpy.zeros((5, *images.shape), numpy.uint8)).shape)
"""


def test_importing_it_loads_none_of_them() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_prediction_where_nothing_else_is_installed(tmp_path: Path, folders: dict[str, Path]) -> None:
    """Only links to the two packages, the libraries that come with them, and graphstill's source are on the path."""
    site = Path(np.__file__).parents[1]
    places = [site / "numpy", site / "numpy.libs", Path(onnxruntime.__file__).parent, Path(graphstill.__file__).parent]
    for place in places:
        if place.exists():
            (tmp_path / place.name).symlink_to(place)
    images = write(tmp_path / "images")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PREDICT, str(tmp_path), str(folders["gcn"]), str(images)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no torch\n")
    assert done.stdout.count("(1, 3)") == 2
    assert done.stdout.endswith("(5,)\n")
