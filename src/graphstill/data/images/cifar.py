"""CIFAR-10 and CIFAR-100 in the archives of their authors, for Python and in plain binary form."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphstill.data.images.pickles import read_pickle
from graphstill.data.images.raw import Bytes, RawImages
from graphstill.errors import DataError

SIDE = 32
_PIXELS = 3 * SIDE * SIDE


@dataclass(frozen=True)
class Layout:
    """Files of one archive.

    Args:
        train, test: names of the files with images. names: of the one with names of classes.
        labels: key of the labels in a pickle; or, of a binary record, how many bytes are labels, of which the last one
            is the class.
        title: key of the names in a pickle.
    """

    train: tuple[str, ...]
    test: str
    names: str
    labels: str | int
    title: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.names)


LAYOUTS = {
    "CIFAR-10 for Python": Layout(
        tuple(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta", "labels", "label_names"
    ),
    "CIFAR-100 for Python": Layout(("train",), "test", "meta", "fine_labels", "fine_label_names"),
    "CIFAR-10, binary": Layout(
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin", "batches.meta.txt", 1
    ),
    "CIFAR-100, binary": Layout(("train.bin",), "test.bin", "fine_label_names.txt", 2),
}


def read_cifar(path: Path) -> RawImages:
    """Images of `cifar-10-python.tar.gz`, `cifar-100-python.tar.gz`, or one of the `-binary.tar.gz`; fine labels.

    Raises:
        DataError: not such an archive, damaged or truncated, or with a pickle that holds more than data.
    """
    found = _members(path)
    best = max(LAYOUTS, key=lambda name: sum(file in found for file in LAYOUTS[name].files))
    layout = LAYOUTS[best]
    missing = [file for file in layout.files if file not in found]
    if missing:
        raise DataError(
            f"{path} has no {', '.join(missing)} and so is not the archive of {best}: give one as its authors publish "
            "it, such as cifar-100-python.tar.gz or cifar-10-binary.tar.gz"
        )

    def read(file: str) -> tuple[Bytes, np.ndarray]:
        where = f"{file} of {path}"
        if isinstance(layout.labels, int):
            return _records(found.pop(file), layout.labels, where)
        return _pickled(read_pickle(found.pop(file), where), layout.labels, where)

    train = [read(file) for file in layout.train]
    test, test_labels = read(layout.test)
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    where = f"{layout.names} of {path}"
    return RawImages(images, labels, test, test_labels, _names(found[layout.names], layout.title, where))


def _members(path: Path) -> dict[str, bytes]:
    wanted = {file for layout in LAYOUTS.values() for file in layout.files}
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if member.isfile() and name in wanted:
                    file = archive.extractfile(member)
                    assert file is not None  # it is a regular file
                    found[name] = file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as a tar archive ({type(error).__name__}: {error}): "
            "it is damaged or not complete; get it again"
        ) from error
    return found


def _records(content: bytes, label_bytes: int, where: str) -> tuple[Bytes, np.ndarray]:
    length = label_bytes + _PIXELS
    if not content or len(content) % length:
        raise DataError(
            f"{where} has {len(content):,} bytes, no whole number of images of {length:,}: truncated; get it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, length)
    return _images(records[:, label_bytes:]), records[:, label_bytes - 1].astype(np.int64)


def _pickled(value: Any, key: str, where: str) -> tuple[Bytes, np.ndarray]:
    value = value if isinstance(value, dict) else {}
    pixels, labels = (value.get(name) for name in ("data", key))
    shape = None if not isinstance(pixels, np.ndarray) else pixels.shape
    if shape is None or len(shape) != 2 or shape[1] != _PIXELS or not isinstance(labels, list):
        raise DataError(
            f"{where} holds {', '.join(map(str, value)) or 'no mapping'}: it should hold data, bytes "
            f"[images, {_PIXELS}], and {key}, a list; get it again"
        )
    if len(labels) != shape[0] or not all(type(label) is int and 0 <= label < 1000 for label in labels):
        raise DataError(
            f"{key} of {where} are {len(labels)} for {shape[0]} images, or not whole numbers from 0: get the file again"
        )
    return _images(pixels), np.array(labels, dtype=np.int64)


def _images(planes: Bytes) -> Bytes:
    return planes.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _names(content: bytes, key: str, where: str) -> tuple[str, ...]:
    if key:
        value = read_pickle(content, where)
        names = value.get(key) if isinstance(value, dict) else None
    else:
        names = content.decode("utf-8", errors="replace").split()
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where} holds no names of classes{f' under {key}' if key else ''}: get the file again")
    return tuple(names)
