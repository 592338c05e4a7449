"""Named image data: where its files are looked for, and how it is usually augmented. Nothing is downloaded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphstill.data.images import cifar, folders, idx
from graphstill.data.images.augment import Augment
from graphstill.data.images.cache import Source, stored
from graphstill.data.images.raw import ImageStore, RawImages, make_store
from graphstill.data.images.task import ImageTask
from graphstill.data.splits import stream
from graphstill.errors import DataError, nearest
from graphstill.typed import typed

DIGITS = "digits-images"
DIGITS_TEST = 50
_PUT = (
    "a tree train/CLASS/FILE and test/CLASS/FILE, as a folder or a zip, the four idx files of MNIST's format in a "
    "folder, or an archive of CIFAR as its authors publish it"
)


@dataclass(frozen=True)
class Entry:
    """A named data set.

    Args:
        archives: names in ROOT/images, after NAME.zip and the folder NAME. folders: elsewhere on the machine.
        classes: names, for files that tell none. augment: default. note: what else to know.
    """

    archives: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    classes: tuple[str, ...] | None = None
    augment: Augment = "none"
    note: str = ""


def _cifar(name: str) -> tuple[str, ...]:
    return f"{name}-python.tar.gz", f"{name}-binary.tar.gz"


CATALOG: dict[str, Entry] = {
    "cifar10": Entry(_cifar("cifar-10"), augment="crop-flip", note="5,000 training and 1,000 test images a class"),
    "cifar100": Entry(
        _cifar("cifar-100"), augment="crop-flip", note="500 training and 100 test images a class; fine labels"
    ),
    "fashion-mnist": Entry(
        folders=("/usr/share/datasets/fashion-mnist",),
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        augment="crop",  # all shoes look to the left, in the test images too
        note="6,000 training and 1,000 test images a class; Debian: apt install dataset-fashion-mnist",
    ),
    DIGITS: Entry(note=f"embedded: 1,797 images of 8x8 pixels; {DIGITS_TEST} a class drawn for test"),
}


@typed
def load(
    name: str,
    root: str | Path | None = None,
    *,
    classes: int | None = None,
    per_class: int | None = None,
    val_per_class: int = 50,
    seed: int = 0,
    batch_size: int = 64,
    augment: Augment | None = None,
) -> ImageTask:
    """An image task by name or path.

    A name is looked for as ROOT/images/NAME.zip, the folder ROOT/images/NAME, and at the places of its entry in
    CATALOG; `digits-images` is embedded. There is no download. Files are decoded once, into the folder of
    GRAPHSTILL_CACHE (~/.cache/graphstill by default), and mapped into memory from there: see `cache.stored`.

    Args:
        name: one of `names()`, or the path of a folder, a zip or an archive of CIFAR.
        root: local data folder; the environment variable GRAPHSTILL_DATA by default.
        classes, per_class, val_per_class, seed, batch_size: as in `ImageTask`. Of the published data sets the
            benchmark has no validation images: they are taken from the training images.
        augment: "crop-flip", "crop" or "none"; the data set's own default (see CATALOG) if None.

    Raises:
        DataError: nothing of that name, no files (the message names each place), or files that cannot be read.
        ConfigError: an option that makes no sense.
    """
    entry = CATALOG.get(name, Entry())
    return ImageTask._from(
        _digits() if name == DIGITS else _stored(name, root, entry),
        name=_title(name),
        test="drawn" if name == DIGITS else "published" if name in CATALOG else "given",
        classes=classes,
        per_class=per_class,
        val_per_class=val_per_class,
        seed=seed,
        batch_size=batch_size,
        augment=augment or entry.augment,
    )


def names(root: str | Path | None = None) -> list[str]:
    """Names that `load` knows: those of CATALOG, and what is in ROOT/images."""
    folder = _folder(root)
    found = [] if folder is None or not folder.is_dir() else list(folder.iterdir())
    own = {path.stem for path in found if path.suffix == ".zip"} | {path.name for path in found if path.is_dir()}
    return sorted({*CATALOG, *own})


def knows(name: str, root: str | Path | None = None) -> bool:
    """Whether it is for `load` to load: a known name, or the path of a folder, a zip or a tar archive."""
    path = Path(name)
    return name in names(root) or (
        _is_path(name) and (path.is_dir() or path.suffix == ".zip" or ".tar" in path.suffixes)
    )


def places(name: str, root: str | Path | None = None) -> list[Path]:
    """Where the files of a name are looked for, in this order."""
    entry, folder = CATALOG.get(name, Entry()), _folder(root)
    local = [] if folder is None else [folder / f"{name}.zip", folder / name, *(folder / a for a in entry.archives)]
    return [*local, *(Path(place) for place in entry.folders)]


def _stored(name: str, root: str | Path | None, entry: Entry) -> ImageStore:
    known = name in names(root)
    if not known and _is_path(name):
        tried = [Path(name)]
    elif known:
        tried = places(name, root)
    else:
        raise DataError(
            f"no image data is called {name!r}; {nearest(name, names(root))}; for your own give the path of a folder "
            f"or zip, or put it into ROOT/images, with ROOT in root= or GRAPHSTILL_DATA: {_PUT}"
        )
    path = next((path for path in tried if path.exists()), None)
    if path is None:
        looked = "; ".join(map(str, tried)) or "nowhere, since neither root= nor GRAPHSTILL_DATA is given"
        wanted = " or ".join((f"{name}.zip", f"{name}/", *entry.archives)) if known else "it"
        raise DataError(
            f"the files of {name!r} are not there; looked at: {looked}. Nothing is downloaded: put {wanted} "
            f"into ROOT/images, with ROOT in root= or GRAPHSTILL_DATA, or give a path: {_PUT}"
        )
    return stored(_source(path, _title(name), entry.classes))


def _source(path: Path, name: str, classes: tuple[str, ...] | None) -> Source:
    """What is at a path, by its looks."""
    if path.is_dir() and any((path / part).is_dir() for part in folders.PARTS):
        tree = folders.folder_tree(path)
        files = [path / file for part in tree.files.values() for found in part.values() for file in found]
        return Source(name, path, files, lambda: folders.read_tree(tree))
    if path.is_dir() and idx.find_idx(path):
        return Source(name, path, idx.find_idx(path), lambda: idx.read_idx(path, classes))
    if path.suffix == ".zip":
        return Source(name, path, [path], lambda: _read_zip(path))
    if path.is_file() and ".tar" in path.suffixes:
        return Source(name, path, [path], lambda: cifar.read_cifar(path))
    raise DataError(f"{path} holds no images that can be read: give {_PUT}")


def _read_zip(path: Path) -> RawImages:
    with folders.zip_tree(path) as tree:
        return folders.read_tree(tree)


def _digits() -> ImageStore:
    """scikit-learn's digits. Which images are for test never changes, whatever the seed of the rest."""
    from sklearn.datasets import load_digits  # takes a second to import

    pixels, y = load_digits(return_X_y=True)
    images = (pixels.reshape(-1, 8, 8) * 15).astype(np.uint8)  # 0 to 16, spread over 0 to 240
    chosen = [
        stream(0, "test images of digits", label).permutation(np.flatnonzero(y == label))[:DIGITS_TEST]
        for label in range(10)
    ]
    is_test = np.zeros(len(y), dtype=bool)
    is_test[np.concatenate(chosen)] = True
    return make_store(RawImages(images[~is_test], y[~is_test], images[is_test], y[is_test]), DIGITS)


def _folder(root: str | Path | None) -> Path | None:
    given = root if root is not None else os.environ.get("GRAPHSTILL_DATA")
    return Path(given) / "images" if given else None


def _is_path(name: str) -> bool:
    return "/" in name or os.sep in name or Path(name).suffix in (".zip", ".gz", ".tar")


def _title(name: str) -> str:
    """The name of a task: of a path, its last part without endings."""
    return Path(name).name.removesuffix(".gz").removesuffix(".tar").removesuffix(".zip") if _is_path(name) else name
