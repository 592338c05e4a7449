"""Folders of students of images: they compute what the member does, on bytes, or are not written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

import graphstill as gs
from graphstill.deploy import image_subject, images
from graphstill.deploy.bench import bench
from graphstill.deploy.image_subject import ImageSubject
from graphstill.errors import ConfigError, DataError, ExportError
from graphstill.runtime import ImagePredictor, verify
from tests.data.images.tiny import arrays
from tests.data.images.tiny import task as tiny

TRAINING = gs.Training(epochs=1, optimizer="sgd", lr=0.01)


@pytest.fixture(scope="module")
def task() -> gs.ImageTask:
    return tiny({"name": "tiny"}, class_names=["ant", "bee", "cow"])


@pytest.fixture(scope="module")
def run(task: gs.ImageTask) -> gs.Run:
    return gs.train(gs.models.ResNet(depth=8, width=0.25), task, seeds=2, training=TRAINING)


@pytest.fixture(scope="module")
def folder(run: gs.Run, task: gs.ImageTask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.export(tmp_path_factory.mktemp("export") / "student", task=task)


def manifest_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "manifest.json").read_text())
    assert isinstance(found, dict)
    return found


def pixels() -> np.ndarray:
    """uint8 [12, 3, 8, 8]: the test images, as they came."""
    return np.ascontiguousarray(arrays()["test"].transpose(0, 3, 1, 2))


def normalized(task: gs.ImageTask) -> torch.Tensor:
    """The same as the task says that networks see them."""
    mean, std = (np.array(values)[:, None, None] for values in (task.mean, task.std))
    return torch.from_numpy((pixels() / 255 - mean) / std).float()


@torch.no_grad()
def test_the_file_reads_bytes_and_computes_what_the_member_does(run: gs.Run, task: gs.ImageTask, folder: Path) -> None:
    expected = run.member()(normalized(task)).numpy()
    np.testing.assert_allclose(ImagePredictor(folder).logits(pixels()), expected, atol=1e-5)
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    for count in (12, 5, 1):
        (logits,) = session.run(None, {"images": pixels()[:count]})
        np.testing.assert_allclose(logits, expected[:count], atol=1e-5)
    assert b"stack_trace" not in (folder / "model.onnx").read_bytes(), "no paths of the machine it was made on"


def test_the_manifest_and_the_card_say_what_it_is(run: gs.Run, task: gs.ImageTask, folder: Path) -> None:
    found, best = manifest_of(folder), run.best_member()
    assert found["member"] == best and found["results"]["validation"] == [run.validation[best]]
    assert found["results"]["test"] == run.result["test"]["members"][best]
    image = {"channels": 3, "height": 8, "width": 8, "mean": list(task.mean), "std": list(task.std)}
    assert found["image"] == {**image, "class_names": ["ant", "bee", "cow"]}
    assert found["inputs"] == ["images"] and found["data_hash"] == task.hash
    assert found["parity"]["cases"][-1] == "9 validation images of tiny"
    assert found["parity"]["engines"]["onnx"]["difference"] <= 1e-5
    assert found["timing"]["milliseconds"]["onnx"] > 0 and found["timing"]["one_image"] > 0
    report = verify(folder)
    assert report.ok and report.lines[-1].endswith("images")
    card = (folder / "card.md").read_text()
    for told in ("Image classifier: resnet (depth=8", "0 ant, 1 bee, 2 cow", "3 white ones", "9 validation images"):
        assert told in card
    names: dict[str, Any] = {"images": pixels()}
    exec(card.split("```python\n")[1].split("```")[0].replace('"student"', repr(str(folder))), names)
    assert names["labels"].shape == (12,)


@torch.no_grad()
def test_the_weights_make_the_network_again(
    run: gs.Run, task: gs.ImageTask, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the lines that config.json holds."""
    monkeypatch.chdir(folder)
    config = json.loads(Path("config.json").read_text())
    names: dict[str, Any] = {}
    exec("\n".join(config["rebuild"]), names)
    mean, std = (torch.tensor(config["image"][key])[:, None, None] for key in ("mean", "std"))
    x = (torch.from_numpy(pixels()) / 255 - mean) / std
    torch.testing.assert_close(names["network"](x), run.member()(normalized(task)))


def test_the_ensemble_of_peers_of_two_families(task: gs.ImageTask, tmp_path: Path) -> None:
    models = [gs.models.ResNet(depth=8, width=0.25), gs.models.WRN(depth=10, width=0.5)]
    group = gs.distill(models, task, method=gs.Independent(), training=TRAINING)
    path = group.export(tmp_path / "group", member="ensemble")
    found = manifest_of(path)
    assert found["members"] == 2 and found["image"]["class_names"] is None, "without the task"
    with torch.no_grad():
        shares = torch.stack([group.member(i)(normalized(task)).softmax(-1) for i in range(2)]).mean(0)
    np.testing.assert_allclose(ImagePredictor(path).probabilities(pixels()), shares.numpy(), atol=1e-5)
    assert verify(path).ok


def test_a_filter_must_be_off(run: gs.Run, task: gs.ImageTask, tmp_path: Path) -> None:
    """As the curriculum leaves it; a width too small to matter is off."""
    alone = gs.Run({**run.result, "seeds": [0]}, [run.cohort.select([0])])
    alone.cohort.smooth(0.9)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=r"smoothed \(width 0.9\).*training.select_after"):
        alone.export(tmp_path / "student", member=0)
    alone.cohort.smooth(0.1)  # type: ignore[operator]
    path = alone.export(tmp_path / "student", member=0)
    with torch.no_grad():
        expected = run.member(0)(normalized(task)).numpy()
    np.testing.assert_allclose(ImagePredictor(path).logits(pixels()), expected, atol=1e-5)


def test_broken_parity_writes_nothing(run: gs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that forgets the normalisation; a network that has diverged."""
    from_bytes = image_subject.FromBytes
    monkeypatch.setattr(image_subject, "FromBytes", lambda members, *_: from_bytes(members, [0.0] * 3, [1.0] * 3))
    with pytest.raises(ExportError, match=r"'onnx' differs from the trained network by \S+ on images: "):
        run.export(tmp_path / "student")
    assert list(tmp_path.iterdir()) == []
    wild = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3, 2))
    torch.nn.init.constant_(wild[1].weight, float("inf"))
    subject = ImageSubject((0,), (wild,), False, b"", (3, 1, 1), (0.5,) * 3, (0.25,) * 3)
    with torch.no_grad(), pytest.raises(ExportError, match="training has diverged"):
        images.made_cases(subject)


def test_options_that_make_no_sense(run: gs.Run, task: gs.ImageTask, folder: Path, tmp_path: Path) -> None:
    for options, error, message in (
        ({"int8": "dynamic", "task": task}, ConfigError, "with 32-bit weights"),
        ({"engine": "split"}, ConfigError, "there is one engine, 'onnx'"),
        ({"member": 2}, ConfigError, "give a number from 0 to 1"),
        ({"task": tiny({"seed": 1})}, DataError, "is not the data of run"),
    ):
        with pytest.raises(error, match=message):
            run.export(tmp_path / "student", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ExportError, match="exists already"):
        run.export(folder)
    with pytest.raises(ConfigError, match="network of images, and what is measured here"):
        bench(folder)
