"""Decoded images, kept on disk and mapped into memory, so that a data set is decoded once."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphstill.data.images.raw import ImageStore, RawImages, arranged, make_store
from graphstill.errors import CheckpointError
from graphstill.files import atomic_write_json
from graphstill.lock import Lock

log = logging.getLogger("graphstill.data")
FORMAT = 1  # raise it when what is stored, or the order of images, changes
#: Seconds to wait for another process that decodes the same images, before decoding them here as well.
PATIENCE = 600.0
_ARRAYS = ("images", "labels", "digests", "sums")
_NOTES = "cache.json"


@dataclass(frozen=True, eq=False)
class Source:
    """Files that hold images.

    Args:
        name: of the data set. where: the file or folder that it is read from.
        files: all files that are read, whose sizes and times tell whether anything changed.
        read: reads them.
    """

    name: str
    where: Path
    files: list[Path]
    read: Callable[[], RawImages]

    def key(self) -> str:
        """Changes with the place, size or time of any file, and with the format of the cache."""
        stats = [(str(file.absolute()), stat.st_size, stat.st_mtime_ns) for file in self.files if (stat := file.stat())]
        return hashlib.sha256(repr((FORMAT, stats)).encode()).hexdigest()[:16]


def cache_home() -> Path:
    """The folder of GRAPHSTILL_CACHE, or ~/.cache/graphstill."""
    given = os.environ.get("GRAPHSTILL_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "graphstill"


def stored(source: Source) -> ImageStore:
    """The images of a source, arranged, from the cache; they are decoded into it if they are not there or damaged.

    Two processes may ask at once: one decodes, the other one waits. Where the cache cannot be written, the images are
    decoded into memory each time, with a warning.
    """
    folder = cache_home() / "images" / f"{source.name}-{source.key()}"
    found = _opened(folder)
    if found is not None:
        return found
    lock = _turn(folder)
    try:
        found = _opened(folder)  # somebody else may have made it in the meantime
        return found if found is not None else _made(folder, source, alone=lock is not None)
    finally:
        if lock is not None:
            lock.release()


def _made(folder: Path, source: Source, alone: bool) -> ImageStore:
    if folder.exists():
        log.warning("the cache %s is damaged or not complete: it is made again", folder)
    log.info("%s: decoding images into %s", source.name, folder)
    start = time.monotonic()
    store = arranged(make_store(source.read(), str(source.where)))
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        if alone:  # what a killed process left
            for left in folder.parent.glob(f".{folder.name}.*"):
                shutil.rmtree(left, ignore_errors=True)
        _write(temporary, store)
        if folder.exists():
            folder.rename(temporary / "damaged")
        (temporary / "whole").rename(folder)
    except OSError as error:
        log.warning("the cache %s cannot be written (%s): images are decoded at each start", folder, error)
        return store
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    log.info("%s: %d images in %.1f s", source.name, len(store.images), time.monotonic() - start)
    return _opened(folder) or store


def _write(folder: Path, store: ImageStore) -> None:
    """All arrays, safely on the disk, and the notes, in folder/whole."""
    whole = folder / "whole"
    whole.mkdir(parents=True)
    for name in _ARRAYS:
        with (whole / f"{name}.npy").open("wb") as file:
            np.save(file, getattr(store, name))
            file.flush()
            os.fsync(file.fileno())
    arrays = {name: getattr(store, name) for name in _ARRAYS}
    notes = {
        "format": FORMAT,
        "train": store.train,
        "classes": list(store.classes),
        "arrays": {name: [str(array.dtype), *array.shape] for name, array in arrays.items()},
        "sha256": _digests(arrays),
        "written": _written(whole),
    }
    atomic_write_json(whole / _NOTES, notes)


def _opened(folder: Path) -> ImageStore | None:
    """The cache, mapped into memory; None where it is not there, not complete, or not what was written.

    Files that nobody touched since they were written are trusted; others are read whole and compared by digest.
    """
    try:
        notes: dict[str, Any] = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False) for name in _ARRAYS}
        found = {name: [str(array.dtype), *array.shape] for name, array in arrays.items()}
        if notes["format"] != FORMAT or notes["arrays"] != found:
            return None
        written = _written(folder)
        if notes["written"] != written:
            if notes["sha256"] != _digests(arrays):
                return None
            _note(folder, notes | {"written": written})
        store = ImageStore(train=int(notes["train"]), classes=tuple(notes["classes"]), **arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError):
        return None
    return store


def _note(folder: Path, notes: dict[str, Any]) -> None:
    try:
        atomic_write_json(folder / _NOTES, notes)
    except OSError:
        log.info("the cache %s cannot be written: it is compared by digest at each start", folder)


def _written(folder: Path) -> dict[str, list[int]]:
    """Size, time of the content and time of any change of each file: a write cannot go by unseen."""
    stats = {name: (folder / f"{name}.npy").stat() for name in _ARRAYS}
    return {name: [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in stats.items()}


def _digests(arrays: dict[str, np.ndarray]) -> dict[str, str]:
    return {name: hashlib.sha256(array.reshape(-1).data).hexdigest() for name, array in arrays.items()}


def _turn(folder: Path) -> Lock | None:
    """The right to decode, as soon as nobody else has it; None where it cannot be had."""
    lock, deadline = Lock(folder.with_name(f"{folder.name}.lock")), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            return lock.acquire()
        except CheckpointError:
            log.info("waiting for another process that decodes the same images (%s)", lock.path)
            time.sleep(min(1.0, PATIENCE / 10))
        except OSError:
            break
    return None
