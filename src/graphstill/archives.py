"""One reader for archives that come from outside: it believes no header, and stops at a bound."""

from __future__ import annotations

import ast
import lzma
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from graphstill.errors import DataError

#: What a broken or hostile file makes zipfile, numpy and the decompressors raise.
BROKEN = (
    OSError,
    ValueError,
    EOFError,
    SyntaxError,
    TypeError,
    KeyError,
    OverflowError,
    RecursionError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tokenize.TokenError,
)
#: A member that is larger than this, and was packed into less than a two hundredth, is taken for a bomb.
LARGE, PACKED = 256 * 2**20, 200
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADER = 64 * 1024
KINDS = "biufU"


@contextmanager
def opened_zip(path: Path, what: str) -> Iterator[zipfile.ZipFile]:
    """A zip file whose members are of known compression and believable size.

    Raises:
        DataError: it is none, or is damaged, encrypted, or packed in a way that is not read; also where reading inside
            of the block fails.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            stored = path.stat().st_size
            for member in archive.infolist():
                _check_member(member, path)
                if member.compress_size > stored:
                    raise EOFError(f"member {member.filename[:100]!r} is said to be larger than the file")
            yield archive
    except DataError:
        raise
    except BROKEN as error:
        raise broken(path, what, error) from error


def broken(path: Path, what: str, error: BaseException) -> DataError:
    """That a file cannot be read, and why."""
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return DataError(
        f"{path} cannot be read as {what} ({reason}): the file is damaged, not complete, or of another format; "
        "copy or download it again"
    )


def read_arrays(path: Path, wanted: Collection[str], unfit: Callable[[str], str]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of an `.npz` under these names; others are not looked at.

    Args:
        unfit: what to say of Python objects, from the name of the array.

    Raises:
        DataError: see `opened_zip`; and for members that are no arrays, or whose size is not what they say.
    """
    found = {}
    with opened_zip(path, "an .npz") as archive:
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name in wanted and name != member.filename:
                with archive.open(member) as file:
                    found[name] = _array(file, member.file_size, f"{name} of {path}", partial(unfit, name))
    return found


def names_of(path: Path) -> list[str]:
    """The names of the arrays in an `.npz`."""
    with opened_zip(path, "an .npz") as archive:
        return [member.filename.removesuffix(".npy") for member in archive.infolist()]


def length_of(archive: zipfile.ZipFile, name: str) -> int:
    """Rows of an array in an opened `.npz`, by its header alone."""
    with archive.open(f"{name}.npy") as member:
        np.lib.format.read_magic(member)
        shape, _, _ = np.lib.format.read_array_header_1_0(member)
    return int(shape[0]) if shape else 0


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    what = f"member {member.filename[:100]!r} of {path}"
    if member.flag_bits & 1:
        raise DataError(f"{what} is encrypted: write the archive without a password")
    if member.compress_type not in METHODS:
        raise DataError(f"{what} is packed by method {member.compress_type}: store or deflate it (numpy.savez does)")
    if member.file_size > LARGE and member.file_size > PACKED * max(1, member.compress_size):
        raise DataError(
            f"{what} says that it holds {member.file_size / 2**20:,.0f} MB in {member.compress_size / 2**20:,.1f} MB: "
            "no data are as empty; write it anew, sparse where it is full of zeros"
        )


def _array(file: IO[bytes], size: int, where: str, objects: Callable[[], str]) -> np.ndarray[Any, Any]:
    version = np.lib.format.read_magic(file)
    length = int.from_bytes(file.read(2 if version[0] == 1 else 4), "little")
    if length > HEADER:
        raise DataError(f"the header of {where} has {length:,} bytes: the file is damaged; write it anew")
    header = ast.literal_eval(file.read(length).decode("latin1" if version[0] < 3 else "utf-8").strip())
    shape, dtype = header["shape"], np.dtype(header["descr"])
    if dtype.hasobject:
        raise DataError(objects())
    if dtype.kind not in KINDS or not all(isinstance(n, int) and 0 <= n < 2**62 for n in shape):
        raise DataError(f"{where} is {dtype} {list(shape)[:8]}: give numbers or booleans")
    begin = np.lib.format.MAGIC_LEN + (2 if version[0] == 1 else 4) + length
    if math.prod(shape) * dtype.itemsize != size - begin:
        raise DataError(
            f"{where} says that it is {dtype} {list(shape)[:8]}, but holds {size - begin:,} bytes: the file is "
            "damaged, "
            "not complete, or of another format; copy or download it again"
        )
    array = np.empty(math.prod(shape), dtype)
    content = array.view(np.uint8).data if array.size else memoryview(b"")
    read = 0
    while read < len(content) and (count := file.readinto(content[read:])):  # type: ignore[attr-defined]
        read += count
    if read < len(content) or file.read(1):  # the last read checks the sum of the member too
        raise EOFError(f"{where} is cut off")
    return array.reshape(shape, order="F" if header["fortran_order"] else "C")
