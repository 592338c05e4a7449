"""Students of images: what they answer, what they refuse, and that folders of graphs and of images are told apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphstill.errors import ConfigError, DataError, ExportError
from graphstill.runtime import ImagePredictor, Predictor, verify
from graphstill.runtime import images as runtime_images
from graphstill.runtime.manifest import read_manifest, write_manifest
from graphstill.runtime.probe import Case, write_probe
from tests.runtime.image_folders import CHANNELS, CLASSES, HEIGHT, WIDTH, formula, images, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("images") / "student")


def test_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any number of images, computed in as many parts as it takes."""
    predictor, x = ImagePredictor(folder), images(11)
    assert (predictor.shape, predictor.classes, predictor.class_names) == ((3, 4, 5), 2, ["ant", "bee"])
    expected = formula(x)
    for pixels in (2**18, 3 * HEIGHT * WIDTH, 1):
        monkeypatch.setattr(runtime_images, "CHUNK_PIXELS", pixels)
        np.testing.assert_allclose(predictor.logits(x), expected, atol=1e-6)
    np.testing.assert_allclose(predictor.logits(x[::2][:, :, ::-1]), formula(x[::2][:, :, ::-1]), atol=1e-6)
    assert predictor.predict(x).tolist() == expected.argmax(1).tolist()
    shares = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    np.testing.assert_allclose(predictor.probabilities(x), shares, atol=1e-6)
    assert predictor.logits(x[:0]).shape == predictor.probabilities(x[:0]).shape == (0, CLASSES)
    assert predictor.predict(x[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (images(2).astype(np.float32) / 255, r"float32 \[2, 3, 4, 5\].* the network normalises them itself"),
        (images(2).astype(np.int64), "int64.* bytes from 0 to 255"),
        (images(2).transpose(0, 2, 3, 1), r"images.transpose\(0, 3, 1, 2\)"),
        (images(1)[0], r"images\[None\]"),
        (np.zeros((2, CHANNELS, HEIGHT, WIDTH + 1), np.uint8), "of the size"),
        (np.zeros((2, 1, HEIGHT, WIDTH), np.uint8), r"Give uint8 \[n, 3, 4, 5\]: of the size and with the channels"),
        ([["a"]], "<U1"),
    ],
)
def test_images_that_do_not_fit(folder: Path, given: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        ImagePredictor(folder).logits(given)


def test_the_other_kind_of_folder(folder: Path, folders: dict[str, Path]) -> None:
    with pytest.raises(ConfigError, match=r"network of images, .* Use graphstill.runtime.ImagePredictor"):
        Predictor(folder)
    with pytest.raises(ConfigError, match=r"network of graphs, .* Use graphstill.runtime.Predictor"):
        ImagePredictor(folders["gcn"])
    with pytest.raises(ConfigError, match="It has onnx"):
        ImagePredictor(folder, engine="split")


def test_folders_that_are_broken(folder: Path, tmp_path: Path, folders: dict[str, Path]) -> None:
    assert verify(folder).ok
    assert verify(folder).lines[-1].endswith("on 1, 4 images")
    for number, image in enumerate(({"channels": 3}, {"channels": 3, "height": 0, "width": 5}, [3, 4, 5])):
        with pytest.raises(ExportError, match=r"'image' is .* not channels, height, width above 0"):
            write(tmp_path / str(number), image=image)
    other = write(tmp_path / "other")
    (other / "model.onnx").write_bytes((folders["gcn"] / "model.onnx").read_bytes())
    write_probe(other, [Case(np.zeros((1, 3)), np.zeros((2, 0)), np.zeros((1, 2)))])  # type: ignore[arg-type]
    known = {key: value for key, value in read_manifest(folder).items() if key != "files"}
    write_manifest(other, known)
    with pytest.raises(ExportError, match=r"model.onnx asks for \['x', .* not for images"):
        ImagePredictor(other)
    (other / "model.onnx").write_bytes((folder / "model.onnx").read_bytes())
    write_manifest(other, known)
    assert "the probe is of another kind" in verify(other).lines[-1]
