"""Small inputs with the logits that torch gave for them: what tells on another machine that a student still works."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphstill.errors import ExportError
from graphstill.files import atomic_write_bytes

NAME = "probe.npz"


@dataclass(frozen=True)
class Case:
    """One graph and its expected output.

    Shapes:
        x: float32 ``[nodes, features]``, as the network reads it (normalised already). edge_index: int64
        ``[2, edges]``. logits: float32 ``[nodes, classes]``.
    """

    x: npt.NDArray[np.float32]
    edge_index: npt.NDArray[np.int64]
    logits: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ImageCase:
    """Some images and their expected output.

    Shapes:
        images: uint8 ``[n, channels, height, width]``. logits: float32 ``[n, classes]``.
    """

    images: npt.NDArray[np.uint8]
    logits: npt.NDArray[np.float32]


AnyCase = Case | ImageCase


def write_probe(directory: str | Path, cases: Sequence[AnyCase]) -> Path:
    """Write ``probe.npz``: ``cases`` is their number, case i is ``{i}/logits`` and its inputs, ``{i}/x`` and
    ``{i}/edge_index``, or ``{i}/images``.
    """
    arrays: dict[str, npt.NDArray[np.generic]] = {"cases": np.asarray(len(cases), dtype=np.int64)}
    for i, case in enumerate(cases):
        if isinstance(case, ImageCase):
            arrays[f"{i}/images"] = np.asarray(case.images, dtype=np.uint8)
        else:
            arrays[f"{i}/x"] = np.asarray(case.x, dtype=np.float32)
            arrays[f"{i}/edge_index"] = np.asarray(case.edge_index, dtype=np.int64)
        arrays[f"{i}/logits"] = np.asarray(case.logits, dtype=np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return atomic_write_bytes(Path(directory) / NAME, buffer.getvalue())


def read_probe(directory: str | Path) -> list[AnyCase]:
    """The cases of a folder.

    Raises:
        ExportError: the file is missing or is not such a file.
    """
    path = Path(directory) / NAME
    try:
        # NumPy does not close a file that it cannot make sense of, so it is not left to open it.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            return [_case(stored, i) for i in range(int(stored["cases"]))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ExportError(f"{NAME} cannot be read: {error}. Where: {path}. Export the student again.") from error


def _case(stored: Mapping[str, npt.NDArray[Any]], i: int) -> AnyCase:
    if f"{i}/images" in stored:
        return ImageCase(stored[f"{i}/images"], stored[f"{i}/logits"])
    return Case(stored[f"{i}/x"], stored[f"{i}/edge_index"], stored[f"{i}/logits"])
