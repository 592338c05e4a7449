"""A folder that appears whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphstill.errors import ExportError

MANIFEST = "manifest.json"


@contextmanager
def staged(directory: str | Path, overwrite: bool) -> Iterator[Path]:
    """A new folder beside ``directory`` to write into; it takes the name at the end of the block, and is gone if that
    fails.

    Raises:
        ExportError: ``directory`` exists and ``overwrite`` is not given, or it holds something else than an export.
    """
    directory = Path(directory)
    _check(directory, overwrite)
    directory.parent.mkdir(parents=True, exist_ok=True)
    unique = uuid.uuid4().hex[:8]
    new, old = (directory.with_name(f".{directory.name}.{unique}.{kind}") for kind in ("new", "old"))
    new.mkdir()
    try:
        yield new
        if directory.exists():
            directory.rename(old)
        new.rename(directory)
    except BaseException:
        if old.exists() and not directory.exists():
            old.rename(directory)
        raise
    finally:
        for rest in (new, old):
            shutil.rmtree(rest, ignore_errors=True)


def _check(directory: Path, overwrite: bool) -> None:
    if not directory.exists() and not directory.is_symlink():
        return
    if not overwrite:
        raise ExportError(f"{directory} exists already: give another directory, or overwrite=True (--overwrite)")
    ours = directory.is_dir() and not directory.is_symlink()
    if not ours or (any(directory.iterdir()) and not (directory / MANIFEST).is_file()):
        raise ExportError(
            f"{directory} is no exported folder (no {MANIFEST} in it), it is not overwritten: give another directory"
        )
