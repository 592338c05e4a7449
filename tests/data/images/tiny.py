"""Small random images, and files that hold them in each format."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphstill.data import ImageTask

NAMES = ("ant", "bee", "cow")


def arrays(
    classes: int = 3, train: int = 12, test: int = 4, size: tuple[int, ...] = (8, 8, 3), seed: int = 0
) -> dict[str, Any]:
    """Arguments of ImageTask: so many random images a class."""
    generator = np.random.default_rng(seed)

    def part(count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        images = generator.integers(0, 256, (classes * count, *size), dtype=np.uint8)
        return images, generator.permutation(np.arange(classes * count) % classes)

    images, labels = part(train)
    test_images, test_labels = part(test)
    return {"train": images, "train_labels": labels, "test": test_images, "test_labels": test_labels}


def task(options: dict[str, Any] | None = None, **changes: Any) -> ImageTask:
    """A task of these images, some of them changed; validation takes 3 a class unless `options` say otherwise."""
    return ImageTask(**(arrays() | changes), **({"val_per_class": 3, "batch_size": 8} | (options or {})))


def png(image: NDArray[Any], mode: str | None = None, kind: str = "PNG") -> bytes:
    from PIL import Image

    picture, file = Image.fromarray(image), io.BytesIO()
    (picture.convert(mode) if mode else picture).save(
        file, format=kind, **({"lossless": True} if kind == "WEBP" else {})
    )
    return file.getvalue()


def files(given: dict[str, Any], names: tuple[str, ...] = NAMES, kind: str = "PNG") -> dict[str, bytes]:
    """A tree of image files: the content of each path."""
    return {
        f"{part}/{names[label]}/{number:04d}.{kind.lower()}": png(image, kind=kind)
        for part in ("train", "test")
        for number, (image, label) in enumerate(zip(given[part], given[f"{part}_labels"], strict=True))
    }


def write_folder(path: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def write_zip(path: Path, content: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def write_tar(path: Path, content: dict[str, bytes], folder: str = "cifar") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def idx(values: NDArray[np.uint8], packed: bool = False) -> bytes:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    content = header + values.tobytes()
    return gzip.compress(content) if packed else content


def planes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """CIFAR's rows: all of red, then green, then blue."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), -1)


def cifar_files(given: dict[str, Any], fine: bool, binary: bool) -> dict[str, bytes]:
    """The members of one of CIFAR's four archives. Python 2 wrote the originals: see `python2`."""
    count = 1 if fine else 5
    names = list(NAMES)
    train = zip(np.array_split(given["train"], count), np.array_split(given["train_labels"], count), strict=True)
    parts = [(f"data_batch_{i + 1}", *part) for i, part in enumerate(train)] if not fine else [("train", *next(train))]
    parts.append(("test" if fine else "test_batch", given["test"], given["test_labels"]))
    if binary:
        coarse = [[7]] if fine else []
        found = {
            f"{name}.bin": b"".join(
                bytes([*(c[0] for c in coarse), label]) + row.tobytes()
                for label, row in zip(labels.tolist(), planes(images), strict=True)
            )
            for name, images, labels in parts
        }
        return found | {"fine_label_names.txt" if fine else "batches.meta.txt": ("\n".join(names) + "\n\n").encode()}
    key = "fine_labels" if fine else "labels"
    found = {
        name: python2({"batch_label": name, key: labels.tolist(), "data": planes(images), "filenames": ["a.png"]})
        for name, images, labels in parts
    }
    titles = {"fine_label_names": names} if fine else {"num_vis": 3072, "label_names": names}
    return found | {"meta" if fine else "batches.meta": python2(titles)}


def python2(value: Any) -> bytes:
    """A pickle of protocol 2 as Python 2 wrote it, where text and bytes are one."""
    return b"\x80\x02" + _python2(value) + b"."


def _python2(value: Any) -> bytes:
    if isinstance(value, str):
        return b"U" + bytes([len(value)]) + value.encode("latin-1") + b"q\x01"
    if isinstance(value, int):
        return b"K" + bytes([value]) if value < 256 else b"M" + value.to_bytes(2, "little")
    if isinstance(value, list):
        return b"]r\x00\x01\x00\x00(" + b"".join(map(_python2, value)) + b"e"
    if isinstance(value, dict):
        return b"}q\x02(" + b"".join(_python2(key) + _python2(item) for key, item in value.items()) + b"u"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    shape = b"".join(_python2(size) for size in value.shape) + b"\x86"
    kind = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    return empty + b"(K\x01" + shape + kind + b"\x89T" + value.size.to_bytes(4, "little") + value.tobytes() + b"tb"


def python3(value: Any, protocol: int = 2) -> bytes:
    return pickle.dumps(value, protocol=protocol)
