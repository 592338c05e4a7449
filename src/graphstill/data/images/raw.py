"""Images as they come out of files, and the one store that tasks are cut from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from graphstill.errors import DataError

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RawImages:
    """What a reader returns, not yet checked.

    Args:
        train, test: uint8 [images, height, width, channels], or without the last axis where there is one channel.
        train_labels, test_labels: integers [images], from 0.
        classes: their names; None where they have none and are counted.
    """

    train: Any
    train_labels: Any
    test: Any
    test_labels: Any
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class ImageStore:
    """Checked images of a whole data set, training images first.

    Attributes:
        images: uint8 [n, channels, height, width].
        labels: int64 [n].
        train: how many of them are training images.
        classes: names of the classes.
        digests: uint8 [n, 32], the sha256 of each image's bytes, so that a subset has a hash without reading it.
        sums: int64 [n, channels, 2], sum and sum of squares of each image's bytes: mean and deviation of a subset.
    """

    images: Bytes
    labels: Numbers
    train: int
    classes: tuple[str, ...]
    digests: Bytes
    sums: Numbers


def make_store(raw: RawImages, where: str) -> ImageStore:
    """The images of a reader, in its order, checked.

    Raises:
        DataError: not uint8 images, images or labels that do not go together, a label without a class.
    """
    parts = [
        _planes(images, f"{part} images of {where}") for part, images in (("training", raw.train), ("test", raw.test))
    ]
    if parts[0].shape[1:] != parts[1].shape[1:]:
        sizes = " and ".join("x".join(map(str, part.shape[1:])) for part in parts)
        raise DataError(
            f"training and test images of {where} are {sizes} (channels x height x width): bring all to one size"
        )
    given = [("training", raw.train_labels, len(parts[0])), ("test", raw.test_labels, len(parts[1]))]
    labels = [_labels(found, count, f"{part} labels of {where}") for part, found, count in given]
    classes = raw.classes or _counted(labels[0], where)
    for part, found in zip(("training", "test"), labels, strict=True):
        wrong = found[(found < 0) | (found >= len(classes))]
        if len(wrong):
            raise DataError(
                f"label {wrong[0]} among the {part} labels of {where}, which has {len(classes)} classes: "
                f"labels are 0 to {len(classes) - 1}; correct it, or name all classes"
            )
    images = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.uint8)
    images[: len(parts[0])], images[len(parts[0]) :] = parts
    return ImageStore(images, np.concatenate(labels), len(parts[0]), classes, _digests(images), _sums(images))


def arranged(store: ImageStore) -> ImageStore:
    """The same images in an order that they alone decide: training before test, by class, by digest.

    A data set is then the same one, down to each drawn split, from whatever files it was read.
    """
    is_test = np.arange(len(store.labels)) >= store.train
    words = np.ascontiguousarray(store.digests).view(np.uint64)
    order = np.lexsort((*words.T, store.labels, is_test))
    return ImageStore(
        store.images[order], store.labels[order], store.train, store.classes, store.digests[order], store.sums[order]
    )


def _planes(images: Any, what: str) -> Bytes:
    found = np.asarray(images.cpu() if isinstance(images, Tensor) else images)
    if found.dtype != np.uint8 or found.ndim not in (3, 4) or (found.ndim == 4 and found.shape[3] not in (1, 3)):
        raise DataError(
            f"{what} are {found.dtype} {list(found.shape)}: give bytes (uint8, 0 to 255) "
            "[images, height, width, channels] with 1 or 3 channels, or [images, height, width]"
        )
    if not found.size:
        raise DataError(f"{what}: there are none ({list(found.shape)}); give at least one to learn from and to test on")
    return found.transpose(0, 3, 1, 2) if found.ndim == 4 else found[:, None]


def _labels(labels: Any, count: int, what: str) -> Numbers:
    found = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if found.shape != (count,) or found.dtype.kind not in "iu":
        raise DataError(
            f"{what} are {found.dtype} {list(found.shape)} for {count} images: give one whole number an image"
        )
    return found.astype(np.int64)


def _counted(labels: Numbers, where: str) -> tuple[str, ...]:
    count = int(labels.max()) + 1
    if count > len(labels):
        raise DataError(
            f"label {count - 1} among the {len(labels)} training labels of {where}: labels number the classes from 0, "
            "and each class needs images; renumber them"
        )
    return tuple(str(label) for label in range(count))


def _digests(images: Bytes) -> Bytes:
    found = b"".join(hashlib.sha256(image.data).digest() for image in images.reshape(len(images), -1))
    return np.frombuffer(found, np.uint8).reshape(len(images), 32)


def _sums(images: Bytes, at_once: int = 512) -> Numbers:
    sums = np.empty((*images.shape[:2], 2), np.int64)
    for begin in range(0, len(images), at_once):
        block = images[begin : begin + at_once].reshape(-1, images.shape[1], images.shape[2] * images.shape[3])
        wide = block.astype(np.int32)
        sums[begin : begin + at_once, :, 0] = wide.sum(axis=2, dtype=np.int64)
        sums[begin : begin + at_once, :, 1] = (wide * wide).sum(axis=2, dtype=np.int64)
    return sums
