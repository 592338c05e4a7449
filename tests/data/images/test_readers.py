import re
import sys

import numpy as np
import pytest

from graphstill.data.images import cifar, folders, idx
from graphstill.errors import DataError
from tests.data.images import tiny


def pairs(raw):
    """Images with their labels, in no order."""
    return {
        part: sorted((np.asarray(image).tobytes(), int(label)) for image, label in zip(images, labels, strict=True))
        for part, images, labels in (("train", raw.train, raw.train_labels), ("test", raw.test, raw.test_labels))
    }


def read_zip(path):
    with folders.zip_tree(path) as tree:
        return folders.read_tree(tree)


def same(raw, given, classes=tiny.NAMES):
    assert raw.classes == classes
    images = [np.asarray(part) for part in (raw.train, raw.test)]
    assert all(part.dtype == np.uint8 and part.shape[1:] == given["train"].shape[1:] for part in images)
    wanted = {part: (given[part], given[f"{part}_labels"]) for part in ("train", "test")}
    assert pairs(raw) == {
        part: sorted((image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True))
        for part, (images, labels) in wanted.items()
    }


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
@pytest.mark.parametrize("around", ["", "some name/"])
def test_a_tree_is_read_from_a_folder_and_from_a_zip(tmp_path, kind, around):
    given = tiny.arrays(train=2, test=1, size=(6, 5, 3))
    content = tiny.files(given, kind=kind) | {"train/ant/notes.txt": b"no image", "train/ant/._0.png": b"of macOS"}
    same(folders.read_tree(folders.folder_tree(tiny.write_folder(tmp_path / "tree", content))), given)
    zipped = {f"{around}{name}": data for name, data in content.items()} | {"__MACOSX/train/ant/0.png": b"other"}
    same(read_zip(tiny.write_zip(tmp_path / "a.zip", zipped)), given)


def test_grey_files_stay_one_channel_unless_any_has_colours(tmp_path):
    given = tiny.arrays(train=1, test=1, size=(4, 4))
    grey = folders.read_tree(folders.folder_tree(tiny.write_folder(tmp_path / "grey", tiny.files(given))))
    assert grey.train.shape == (3, 4, 4, 1)
    colours = np.random.default_rng(1).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    content = tiny.files(given) | {"train/cow/9.png": tiny.png(colours), "train/bee/9.png": tiny.png(colours, "RGBA")}
    mixed = folders.read_tree(folders.folder_tree(tiny.write_folder(tmp_path / "mixed", content)))
    assert mixed.train.shape == (5, 4, 4, 3)
    assert [image.tobytes() == colours.tobytes() for image in mixed.train] == [False, False, True, False, True]
    assert bool((mixed.test == grey.test).all())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train/bee/x.png": tiny.png(np.zeros((4, 7, 3), np.uint8))}, "train/bee/x.png of PATH is 7x4, train/ant/00"),
        ({"test/cow/x.png": b"no picture"}, "test/cow/x.png of PATH cannot be decoded (UnidentifiedImageError"),
        ({"test/cow/x.png": tiny.png(tiny.arrays(size=(6, 5, 3))["test"][0])[:90]}, "test/cow/x.png of PATH cannot be"),
        ({"train/ant/x.png": tiny.png(np.zeros((6, 5), np.uint16))}, "train/ant/x.png of PATH has more than 8 bits"),
        ({"train/dog/x.png": tiny.png(np.zeros((6, 5), np.uint8))}, "class 'dog' of PATH is in train only"),
        (
            {"train/dog/x.txt": b"", "test/dog/x.png": b""},
            "class 'dog' of PATH has no images in train: image files end",
        ),
    ],
)
def test_what_is_wrong_with_a_tree_is_named(tmp_path, changes, message):
    content = tiny.files(tiny.arrays(train=1, test=1, size=(6, 5, 3))) | changes
    path = tiny.write_folder(tmp_path / "tree", content)
    with pytest.raises(DataError, match=re.escape(message.replace("PATH", str(path)))):
        folders.read_tree(folders.folder_tree(path))
    packed = tiny.write_zip(tmp_path / "tree.zip", content)
    with pytest.raises(DataError, match=re.escape(message.replace("PATH", str(packed)))):
        read_zip(packed)


def test_a_tree_without_images_or_a_broken_zip_is_refused(tmp_path):
    (tmp_path / "train" / "ant").mkdir(parents=True)
    with pytest.raises(DataError, match="holds no images in train/CLASS/: a tree has train/CLASS/FILE"):
        folders.folder_tree(tmp_path)
    content = tiny.files(tiny.arrays(train=1, test=1))
    with pytest.raises(DataError, match="holds no images in test/CLASS/"):
        read_zip(tiny.write_zip(tmp_path / "a.zip", {n: data for n, data in content.items() if "train" in n}))
    whole = tiny.write_zip(tmp_path / "b.zip", content)
    whole.write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"b.zip cannot be read as a zip .* damaged or not complete"):
        read_zip(whole)


def test_without_pillow_the_error_names_the_extra(tmp_path, monkeypatch):
    tree = folders.folder_tree(tiny.write_folder(tmp_path, tiny.files(tiny.arrays(train=1, test=1))))
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(DataError, match=r"'pillow' is not installed .* pip install 'graphstill\[images\]'"):
        folders.read_tree(tree)


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("fine", [False, True])
def test_archives_of_cifar_are_read(tmp_path, fine, binary):
    given = tiny.arrays(train=5, test=2, size=(32, 32, 3))
    content = tiny.cifar_files(given, fine, binary) | {"readme.html": b"..."}
    raw = cifar.read_cifar(tiny.write_tar(tmp_path / "cifar.tar.gz", content))
    same(raw, given)
    assert np.array_equal(raw.train, given["train"]) and raw.train_labels.tolist() == given["train_labels"].tolist()


def cifar_with(tmp_path, fine=True, binary=False, **changes):
    content = tiny.cifar_files(tiny.arrays(train=1, test=1, size=(32, 32, 3)), fine, binary)
    return tiny.write_tar(
        tmp_path / "cifar.tar.gz", content | {key.replace("_bin", ".bin"): v for key, v in changes.items()}
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"binary": True, "train_bin": bytes(3074 + 9)},
            "train.bin of PATH has 3,083 bytes, no whole number of images",
        ),
        ({"binary": True, "test_bin": b""}, "test.bin of PATH has 0 bytes"),
        ({"test": tiny.python2({"labels": [0]})}, "test of PATH holds labels: it should hold data"),
        ({"test": tiny.python2([1])}, "test of PATH holds no mapping: it should hold data"),
        (
            {"test": tiny.python2({"data": np.zeros((1, 7), np.uint8), "fine_labels": [0]})},
            "test of PATH holds data, fine_labels: it should hold data, bytes [images, 3072]",
        ),
        (
            {"test": tiny.python2({"data": np.zeros((2, 3072), np.uint8), "fine_labels": [0]})},
            "fine_labels of test of PATH are 1 for 2 images",
        ),
        (
            {"meta": tiny.python2({"label_names": ["a"]})},
            "meta of PATH holds no names of classes under fine_label_names",
        ),
        ({"meta": b"cos\nsystem\n."}, "instruction GLOBAL os system at byte 0 of the pickle meta of PATH"),
    ],
)
def test_what_is_wrong_with_an_archive_of_cifar_is_named(tmp_path, options, message):
    path = cifar_with(tmp_path, **options)
    with pytest.raises(DataError, match=re.escape(message.replace("PATH", str(path)))):
        cifar.read_cifar(path)


def test_an_incomplete_archive_is_refused(tmp_path):
    content = tiny.cifar_files(tiny.arrays(train=5, test=1, size=(32, 32, 3)), fine=False, binary=True)
    del content["data_batch_4.bin"]
    path = tiny.write_tar(tmp_path / "cifar.tar.gz", content)
    with pytest.raises(DataError, match=r"has no data_batch_4.bin and so is not the archive of CIFAR-10, binary"):
        cifar.read_cifar(path)
    whole = cifar_with(tmp_path)
    whole.write_bytes(whole.read_bytes()[:-5000])
    with pytest.raises(DataError, match="cannot be read as a tar archive"):
        cifar.read_cifar(whole)
    whole.write_bytes(b"something else")
    with pytest.raises(DataError, match="cannot be read as a tar archive"):
        cifar.read_cifar(whole)


def idx_files(given, packed):
    values = [np.asarray(given[part]).astype(np.uint8) for part in ("train", "train_labels", "test", "test_labels")]
    end = ".gz" if packed else ""
    return {f"{name}{end}": tiny.idx(value, packed) for name, value in zip(idx.FILES, values, strict=True)}


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_are_read_plain_and_packed(tmp_path, packed):
    given = tiny.arrays(size=(5, 7))
    folder = tiny.write_folder(tmp_path, idx_files(given, packed))
    same(idx.read_idx(folder, tiny.NAMES), given)
    assert idx.read_idx(folder).classes is None
    (folder / idx.FILES[3]).unlink(missing_ok=True)
    (folder / f"{idx.FILES[3]}.gz").unlink(missing_ok=True)
    with pytest.raises(DataError, match=r"has no t10k-labels-idx1-ubyte \(or the same with .gz\): put it there"):
        idx.read_idx(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tiny.idx(np.zeros((3, 4, 4), np.uint8))[:-1], "has 47 bytes of data, its sizes [3, 4, 4] make 48"),
        (tiny.idx(np.zeros((3, 4, 4), np.uint8)) + b"x", "has 49 bytes of data"),
        (tiny.idx(np.zeros((3, 4, 4), np.uint8))[:9], "has 0 bytes of data"),
        (tiny.idx(np.zeros(3, np.uint8)), "begins with 00000801, an idx file of bytes with 3 axes with 00000803"),
        (b"\x00\x00\x0d\x03", "begins with 00000d03"),
        (b"", "begins with nothing"),
        (tiny.idx(np.zeros((3, 4, 4), np.uint8), packed=True)[:-12], "cannot be read (EOFError"),
        (b"\x1f\x8bnot packed", "cannot be read (BadGzipFile"),
    ],
)
def test_what_is_wrong_with_an_idx_file_is_named(tmp_path, content, message):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"{path} {message}")):
        idx.read_array(path, 3)
