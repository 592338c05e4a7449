import re

import numpy as np
import pytest

from graphstill.data import images
from graphstill.data.images import catalog
from graphstill.errors import DataError
from tests.data.images import tiny
from tests.data.images.test_readers import idx_files

FEW = {"val_per_class": 2, "batch_size": 4}


def test_the_same_images_are_the_same_task_in_whatever_files_they_came(tmp_path):
    given = tiny.arrays(train=5, test=2, size=(32, 32, 3))
    tree = tiny.files(given)
    roots = [tmp_path / str(number) for number in range(6)]
    tiny.write_folder(roots[0] / "images" / "cifar10", tree)
    tiny.write_zip(roots[1] / "images" / "cifar10.zip", tree)
    for root, binary in zip(roots[2:4], (False, True), strict=True):
        kind = "binary" if binary else "python"
        content = tiny.cifar_files(given, fine=False, binary=binary)
        tiny.write_tar(root / "images" / f"cifar-10-{kind}.tar.gz", content)
    tasks = [images.load("cifar10", root, **FEW) for root in roots[:4]]
    tasks.append(images.load(str(roots[0] / "images" / "cifar10"), **FEW, augment="crop-flip"))
    tasks.append(images.load(str(roots[1] / "images" / "cifar10.zip"), **FEW, augment="crop-flip"))
    assert len({task.hash for task in tasks}) == 1
    assert {task.name for task in tasks} == {"cifar10"} and {task.classes for task in tasks} == {tiny.NAMES}
    assert [task.augment for task in tasks] == ["crop-flip"] * 6
    assert {task.split.partition(" ")[0] for task in tasks[:4]} == {"published"}
    assert {task.split.partition(" ")[0] for task in tasks[4:]} == {"given"}


def test_fashion_mnist_is_cropped_but_not_mirrored(tmp_path, monkeypatch):
    given = tiny.arrays(classes=10, train=4, test=1, size=(28, 28))
    tiny.write_folder(tmp_path / "images" / "fashion-mnist", idx_files(given, packed=True))
    task = images.load("fashion-mnist", tmp_path, **FEW)
    assert (task.augment, task.in_features, task.image_size) == ("crop", 1, (28, 28))
    assert task.classes[0] == "T-shirt/top" and task.classes[9] == "Ankle boot"
    monkeypatch.setenv("GRAPHSTILL_DATA", str(tmp_path))
    assert images.load("fashion-mnist", **FEW, augment="none").augment == "none"
    assert [str(place) for place in catalog.places("fashion-mnist")][-1] == "/usr/share/datasets/fashion-mnist"


def test_own_data_has_its_own_name(tmp_path):
    tiny.write_zip(tmp_path / "images" / "insects.zip", tiny.files(tiny.arrays()))
    assert "insects" in images.names(tmp_path) and images.knows("insects", tmp_path)
    task = images.load("insects", tmp_path, **FEW)
    assert (task.name, task.augment, task.classes) == ("insects", "none", tiny.NAMES)
    assert images.knows(str(tmp_path / "images" / "insects.zip")) and not images.knows("insects")
    assert not images.knows(str(tmp_path / "graph.npz")) and not images.knows("cora")


def test_files_that_are_not_there_are_named_with_their_places(tmp_path):
    with pytest.raises(DataError) as raised:
        images.load("cifar100", tmp_path)
    for place in ("cifar100.zip", "cifar100", "cifar-100-python.tar.gz", "cifar-100-binary.tar.gz"):
        assert str(tmp_path / "images" / place) in str(raised.value)
    assert "Nothing is downloaded: put cifar100.zip or cifar100/ or cifar-100-python" in str(raised.value)
    with pytest.raises(DataError, match="looked at: nowhere, since neither root= nor GRAPHSTILL_DATA is given"):
        images.load("cifar10")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar-100", "no image data is called 'cifar-100'; did you mean 'cifar100'?"),
        ("./absent.zip", "the files of './absent.zip' are not there; looked at: absent.zip"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(tmp_path, name, message):
    with pytest.raises(DataError, match=re.escape(message)):
        images.load(name, tmp_path)


def test_a_place_that_holds_something_else_is_refused(tmp_path):
    (tmp_path / "images" / "cifar10").mkdir(parents=True)
    with pytest.raises(DataError, match="images/cifar10 holds no images that can be read: give a tree train/CLASS"):
        images.load("cifar10", tmp_path)


def test_digits_are_embedded_and_their_test_images_never_change():
    task = images.load("digits-images")
    assert (task.num_nodes, task.in_features, task.image_size, task.num_outputs) == (1797, 1, (8, 8), 10)
    assert (len(task.test_index), len(task.val_index), len(task.train_index)) == (500, 500, 797)
    assert task.augment == "none" and task.split.startswith("drawn test; validation drawn from the training images")
    assert int(task._pixels.max()) == 240 and not (task._pixels % 15).any()
    other = images.load("digits-images", seed=1)
    assert np.array_equal(*(t._pixels[t._rows[t.test_index]].numpy() for t in (task, other)))
    assert task.hash != other.hash
    few = images.load("digits-images", classes=3, per_class=7, val_per_class=5, batch_size=10)
    assert (len(few.train_index), len(few.val_index), len(few.test_index)) == (21, 15, 150)
    assert [len(batch.nodes) for batch in few.training_batches(0)] == [10, 10]


def test_digits_are_the_same_on_every_machine():
    """Not a bit of the split or of the normalisation may differ, or teachers would be refused elsewhere."""
    assert images.load("digits-images").hash == FIRST_RELEASE


FIRST_RELEASE = "a339402da3b8c7404b74ab010f3b1cf53fa1ef69f797845c66df11a45b3c77eb"
