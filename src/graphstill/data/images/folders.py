"""Trees of image files, train/CLASS/FILE and test/CLASS/FILE, in a folder or in a zip."""

from __future__ import annotations

import importlib
import io
import logging
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphstill.data.images.raw import Bytes, RawImages
from graphstill.errors import DataError

log = logging.getLogger("graphstill.data")
PARTS = ("train", "test")
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
TREE = "a tree has train/CLASS/FILE and test/CLASS/FILE, with the same classes in both"
_REPORT_EVERY = 10_000
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, RuntimeError, struct.error, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class Tree:
    """The image files of a tree, by part and class, sorted.

    Args:
        where: folder or zip. files: names within it, for each part and class. read: content of one.
    """

    where: Path
    files: dict[str, dict[str, list[str]]]
    read: Callable[[str], bytes]

    def checked(self) -> Tree:
        """Raises DataError where a part is missing, has no images, or other classes than the other one."""
        for part in PARTS:
            if not any(self.files[part].values()):
                raise DataError(f"{self.where} holds no images in {part}/CLASS/: {TREE}; {_kinds()}")
        train, test = (set(self.files[part]) for part in PARTS)
        if train != test:
            odd = sorted(train ^ test)[0]
            raise DataError(f"class {odd!r} of {self.where} is in {'train' if odd in train else 'test'} only: {TREE}")
        for part in PARTS:
            for name, files in self.files[part].items():
                if not files:
                    raise DataError(f"class {name!r} of {self.where} has no images in {part}: {_kinds()}")
        return self


def folder_tree(path: Path) -> Tree:
    """The tree in a folder. Hidden files and files of other kinds are passed over."""
    files = {
        part: {
            entry.name: sorted(f"{part}/{entry.name}/{file.name}" for file in entry.iterdir() if _is_image(file.name))
            for entry in sorted((path / part).iterdir() if (path / part).is_dir() else ())
            if entry.is_dir() and not entry.name.startswith(".")
        }
        for part in PARTS
    }
    return Tree(path, files, lambda name: (path / name).read_bytes()).checked()


@contextmanager
def zip_tree(path: Path) -> Iterator[Tree]:
    """The tree in a zip, open as long as the context is; one folder may be around it.

    Raises:
        DataError: not a zip, or without such a tree.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} cannot be read as a zip ({error}): it is damaged or not complete; get it again"
        ) from error
    with archive:
        files: dict[str, dict[str, list[str]]] = {part: {} for part in PARTS}
        names = sorted(name for name in archive.namelist() if not name.startswith("__MACOSX/"))
        tops = {name.partition("/")[0] for name in names}
        around = f"{tops.pop()}/" if len(tops) == 1 and not tops & set(PARTS) else ""
        for name in names:
            steps = name.removeprefix(around).split("/")
            if len(steps) == 3 and steps[0] in PARTS:
                files[steps[0]].setdefault(steps[1], []).extend([name] if _is_image(steps[2]) else [])
        yield Tree(path, files, archive.read).checked()


def read_tree(tree: Tree) -> RawImages:
    """Decoded images; classes are numbered in alphabetical order, as ImageFolder numbers them.

    All images have one size. Where any has colours, all have three channels; grey ones get three equal channels.
    Transparency and the orientation that a camera noted are passed over; of a sequence the first image is taken.

    Raises:
        DataError: Pillow is missing, a file is broken, has another size, or more than 8 bits a channel.
    """
    classes = tuple(sorted(tree.files["train"]))
    names = {part: [name for label in classes for name in tree.files[part][label]] for part in PARTS}
    labels = [np.repeat(np.arange(len(classes)), [len(tree.files[p][label]) for label in classes]) for p in PARTS]
    images = _decoded(tree, names["train"] + names["test"])
    train = len(names["train"])
    return RawImages(images[:train], labels[0], images[train:], labels[1], classes)


def _decoded(tree: Tree, names: list[str]) -> Bytes:
    image_module = _pillow(tree.where)
    images: Any = None
    for number, name in enumerate(names):
        pixels = _pixels(image_module, tree, name)
        if images is None:
            images = np.empty((len(names), *pixels.shape), np.uint8)
        if pixels.shape[:2] != images.shape[1:3]:
            (height, width), (first_height, first_width) = pixels.shape[:2], images.shape[1:3]
            raise DataError(
                f"{name} of {tree.where} is {width}x{height}, {names[0]} is {first_width}x{first_height}: "
                "all images of a task have one size; resize them first"
            )
        if pixels.shape[2] > images.shape[3]:
            images = np.repeat(images, 3, axis=3)  # all before this one are grey
        images[number] = pixels
        if (number + 1) % _REPORT_EVERY == 0:
            log.info("%s: %d of %d images decoded", tree.where.name, number + 1, len(names))
    return np.asarray(images)


def _pixels(image_module: Any, tree: Tree, name: str) -> Bytes:
    """uint8 [height, width, 1 or 3]."""
    try:
        with image_module.open(io.BytesIO(tree.read(name))) as image:
            if image.mode[0] in "IF":
                raise DataError(
                    f"{name} of {tree.where} has more than 8 bits a channel (mode {image.mode}): "
                    "convert the images to 8 bits first"
                )
            grey = image.mode in ("1", "L", "LA")
            pixels: Bytes = np.asarray(image.convert("L" if grey else "RGB"))
    except DataError:
        raise
    except (*_BROKEN, image_module.DecompressionBombError) as error:
        raise DataError(
            f"{name} of {tree.where} cannot be decoded ({type(error).__name__}: {error}): "
            "the file is broken; get it again, or remove it"
        ) from error
    return pixels[:, :, None] if grey else pixels


def _pillow(where: Path) -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ModuleNotFoundError as error:
        raise DataError(
            f"the package 'pillow' is not installed ({error}), and {where} holds image files: "
            "pip install 'graphstill[images]'"
        ) from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def _kinds() -> str:
    return f"image files end in {', '.join(sorted(SUFFIXES))}"
