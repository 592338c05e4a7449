"""The manifest of an exported folder: what is in it, hashed, and what the runtime must know to execute it.

Whoever writes a folder hashes its files with :func:`file_entries` and writes the manifest last, with
:func:`write_manifest`. The keys in ``REQUIRED`` are read here; others may stand beside them (results, card, figures).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphstill.errors import ExportError
from graphstill.files import atomic_write_json

FORMAT = 1
NAME = "manifest.json"
MODELS = {"onnx": "model.onnx", "int8": "model.int8.onnx"}
# "binary": 1 where a stored feature is not zero; "row": each row divided by the sum of its absolute values.
NORMALIZATIONS = (None, "row", "binary", "binary-row")

# What the runtime reads. "plan" is empty for a module that has none, and runs as model.onnx only. "tolerance" holds,
# for each engine of the folder, the largest difference to the expected logits that the probe may show: absolute for
# logits up to 1, in parts of the largest logit above.
REQUIRED: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "features": int,
    "classes": int,
    "multi_label": bool,
    "feature_normalization": (str, type(None)),
    "engine": str,
    "plan": list,
    "tolerance": dict,
    "files": dict,
    "digest": str,
}
# Under "image" where the network reads images: its input is then uint8 [n, channels, height, width], and "features"
# counts channels. "mean" and "std" of each channel, and "class_names", stand beside them for those who read them.
IMAGE_SIZES = ("channels", "height", "width")


def digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest's content without its key "digest", as canonical JSON (sorted keys, no blanks)."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def file_entries(directory: str | Path) -> dict[str, dict[str, Any]]:
    """``{relative path: {"sha256": ..., "bytes": ...}}`` of every file in the folder but the manifest itself."""
    directory = Path(directory)
    paths = sorted(path for path in directory.rglob("*") if path.is_file())
    names = [path.relative_to(directory).as_posix() for path in paths]
    return {name: file_entry(path) for name, path in zip(names, paths, strict=True) if name != NAME}


def file_entry(path: str | Path) -> dict[str, Any]:
    """Hash and size of one file."""
    with open(path, "rb") as file:
        return {"sha256": hashlib.file_digest(file, "sha256").hexdigest(), "bytes": Path(path).stat().st_size}


def write_manifest(directory: str | Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest with its digest, and return it so. "files" is taken from the folder if it is not given.

    Raises:
        ExportError: a key that the runtime needs is missing or of another type.
    """
    path = Path(directory) / NAME
    full = {"files": file_entries(directory), **manifest}
    full["digest"] = digest(full)
    check(full, path)
    atomic_write_json(path, full)
    return full


def read_manifest(directory: str | Path) -> dict[str, Any]:
    """The manifest of an exported folder, checked for what the runtime needs. Files are not looked at.

    Raises:
        ExportError: no such folder or manifest, broken JSON, another format version, a key that is missing or wrong.
    """
    path = Path(directory) / NAME
    if not path.is_file():
        raise ExportError(
            f"{NAME} is missing. Where: {directory}. Give the folder that `graphstill export` wrote, whole."
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # broken JSON, or bytes that are no text
        raise ExportError(f"{NAME} cannot be read: {error}. Where: {path}. Export the student again.") from error
    check(manifest, path)
    assert isinstance(manifest, dict)
    return manifest


def check(manifest: object, path: Path) -> None:
    """Refuses a manifest that the runtime cannot work with."""
    if not isinstance(manifest, dict):
        raise ExportError(f"{NAME} holds a {type(manifest).__name__}, no object. Where: {path}. Export again.")
    version = manifest.get("format")
    if version != FORMAT:
        raise ExportError(
            f"format={version!r} is not known, this runtime reads {FORMAT}. Where: {path}. "
            "Use the graphstill that wrote the folder, or export the student again."
        )
    for key, kind in REQUIRED.items():
        if key not in manifest or not isinstance(manifest[key], kind):
            found = f"{manifest[key]!r:.80}" if key in manifest else "missing"
            raise ExportError(f"{key!r} is {found}. Where: {path}. Export the student again.")
    if reads_images(manifest):
        _check_image(manifest["image"], path)
    _choice(manifest["engine"], engines(manifest), "engine", path)
    _choice(manifest["feature_normalization"], NORMALIZATIONS, "feature_normalization", path)
    for engine in engines(manifest):
        _choice(engine, manifest["tolerance"], "an engine without a figure in 'tolerance':", path)


def engines(manifest: Mapping[str, Any]) -> list[str]:
    """The engines that the folder has the files for."""
    return [name for name, file in MODELS.items() if file in manifest["files"]] + ["split"] * bool(manifest["plan"])


def reads_images(manifest: Mapping[str, Any]) -> bool:
    """Whether the network reads images, not graphs and features."""
    return "image" in manifest


def inside(directory: Path, name: str) -> Path:
    """A file of the folder.

    Raises:
        ExportError: it is not there, or the name leads out of the folder.
    """
    path = directory / name
    if ".." in Path(name).parts or Path(name).is_absolute():
        raise ExportError(f"{name!r} leads out of the folder. Where: {directory / NAME}. Export the student again.")
    if not path.is_file():
        raise ExportError(f"{name} is missing. Where: {directory}. Copy the folder again, whole, or export again.")
    return path


def _check_image(image: object, path: Path) -> None:
    sizes = [image.get(key) for key in IMAGE_SIZES] if isinstance(image, dict) else []
    if not sizes or not all(isinstance(size, int) and size > 0 for size in sizes):
        wanted = ", ".join(IMAGE_SIZES)
        raise ExportError(f"'image' is {image!r:.80}, not {wanted} above 0. Where: {path}. Export the student again.")


def _choice(value: object, known: object, key: str, path: Path) -> None:
    if value not in known:  # type: ignore[operator]
        raise ExportError(f"{key} {value!r} is not among {known}. Where: {path}. Export the student again.")
