"""Checkpoints: one safetensors file, written whole or not at all, bound to the run that it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from graphstill.errors import CheckpointError
from graphstill.files import atomic_write_bytes
from graphstill.plain_yaml import shown

FORMAT = "graphstill-1"


def write(path: Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
    """Write tensors and JSON-able `meta` to `path` atomically: a crash leaves the former file."""
    # Tensors may be views of each other (a cohort of one): the format wants each in memory of its own.
    plain = {name: t.detach().to("cpu").contiguous().clone() for name, t in tensors.items()}
    atomic_write_bytes(path, save(plain, metadata={"format": FORMAT, "meta": json.dumps(meta)}))


def read(path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and meta of a file written by `write`.

    Raises:
        CheckpointError: the file is missing, truncated, or not one of ours.
    """
    if not path.is_file():
        raise CheckpointError(f"no file {path}: give the directory of a run that was saved")
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is broken ({error}): delete it and start the run again, or restore it from a copy"
        ) from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} has format {header.get('format')!r}, not {FORMAT!r}: it was written by something else"
        )
    return tensors, json.loads(header["meta"])


def check_same(path: Path, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse to continue a run from the checkpoint of another.

    Raises:
        CheckpointError: names the first keys that differ.
    """
    differing = [k for k in sorted({*expected, *found}) if expected.get(k) != found.get(k)]
    if differing:
        key, there, here = _first_difference(differing[0], found.get(differing[0]), expected.get(differing[0]))
        raise CheckpointError(
            f"{path} belongs to another run: {', '.join(differing)} differ ({key}: {shown(there)} there, {shown(here)} "
            "here): use another directory, or the recipe that the checkpoint was made with"
        )


def _first_difference(path: str, there: Any, here: Any) -> tuple[str, Any, Any]:
    """The innermost key that differs, by its dotted path, and its two values."""
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        for key in [*there, *(key for key in here if key not in there)]:
            if there.get(key) != here.get(key):
                return _first_difference(f"{path}.{key}", there.get(key), here.get(key))
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        for number, (a, b) in enumerate(zip(there, here, strict=True)):
            if a != b:
                return _first_difference(f"{path}.{number}", a, b)
    return path, there, here


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose name starts with `prefix/`, without it."""
    return {name[len(prefix) + 1 :]: t for name, t in tensors.items() if name.startswith(prefix + "/")}
