"""idx files, the format of MNIST and Fashion-MNIST: a magic number, sizes, bytes."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np

from graphstill.data.images.raw import Bytes, RawImages
from graphstill.errors import DataError

#: Names of the four files; each may end in .gz.
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_BYTES = 0x08  # the type that the third byte of the magic number tells; the fourth is the number of axes


def find_idx(folder: Path) -> list[Path]:
    """Those of the four files that a folder has, plain before packed."""
    both = ([folder / name, folder / f"{name}.gz"] for name in FILES)
    return [next(path for path in pair if path.is_file()) for pair in both if any(path.is_file() for path in pair)]


def read_idx(folder: Path, classes: tuple[str, ...] | None = None) -> RawImages:
    """Images of a folder with the four files, plain or .gz.

    Raises:
        DataError: a file is missing, damaged, truncated, or not of this format.
    """
    found = {path.name.removesuffix(".gz"): path for path in find_idx(folder)}
    missing = [name for name in FILES if name not in found]
    if missing:
        raise DataError(f"{folder} has no {' and no '.join(missing)} (or the same with .gz): put it there")
    train, train_labels, test, test_labels = (
        read_array(found[name], axes) for name, axes in zip(FILES, (3, 1, 3, 1), strict=True)
    )
    return RawImages(train, train_labels, test, test_labels, classes)


def read_array(path: Path, axes: int) -> Bytes:
    """The bytes of one idx file, of so many axes.

    Raises:
        DataError: it cannot be read, has another magic number, or another length than its sizes tell.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({type(error).__name__}: {error}): get the file again") from error
    magic = bytes([0, 0, _BYTES, axes])
    if content[:4] != magic:
        raise DataError(
            f"{path} begins with {content[:4].hex() or 'nothing'}, an idx file of bytes with {axes} axes with "
            f"{magic.hex()}: it is another file, or damaged; get it again"
        )
    sizes = [int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, axes + 1)]
    begin, wanted = 4 + 4 * axes, int(np.prod(sizes, dtype=object))
    if len(content) - begin != wanted:
        raise DataError(
            f"{path} has {max(0, len(content) - begin):,} bytes of data, its sizes {sizes} make {wanted:,}: "
            "it is truncated or damaged; get it again"
        )
    return np.frombuffer(content, np.uint8, offset=begin).reshape(sizes)
