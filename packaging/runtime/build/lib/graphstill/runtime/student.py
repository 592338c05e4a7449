"""What opening an exported folder takes, whatever the network in it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from graphstill.errors import ConfigError, ExportError, nearest
from graphstill.runtime.manifest import engines, inside, read_manifest, reads_images


class Student:
    """A folder that is whole, the engine in use, and how many threads it gets; what answers is made by subclasses.

    Attributes:
        manifest: what the folder says of itself. classes: width of the logits. engine, engines: the one in use, and all
        that the folder has. needs_graph: whether predictions take a graph. threads: as given.

    Raises:
        ExportError: the folder is missing, broken or incomplete.
        ConfigError: the network reads something else than this class gives it; another engine than the folder has; a
            number of threads below 1.
    """

    of_images: ClassVar[bool] = False
    needs_graph = False

    def __init__(self, directory: Path, threads: int, engine: str | None) -> None:
        self.manifest: dict[str, Any] = read_manifest(directory)
        if reads_images(self.manifest) != self.of_images:
            what, use = ("graphs", "Predictor") if self.of_images else ("images", "ImagePredictor")
            raise ConfigError(
                f"it holds a network of {what}, which {type(self).__name__} does not run. Where: {directory}. "
                f"Use graphstill.runtime.{use}."
            )
        self.engines = engines(self.manifest)
        self.engine: str = self.manifest["engine"] if engine is None else engine
        if self.engine not in self.engines:
            raise ConfigError(
                f"engine={engine!r}. Where: {directory}. It has {', '.join(self.engines)} "
                f"({nearest(self.engine, self.engines)})."
            )
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise ConfigError(f"threads={threads!r}. Where: {type(self).__name__}. Give a whole number of at least 1.")
        self.threads = threads
        self.classes: int = self.manifest["classes"]
        _check_sizes(directory, self.manifest["files"])


def _check_sizes(directory: Path, files: dict[str, dict[str, object]]) -> None:
    """All files are there and as long as they were. `verify` also looks at what is in them."""
    for name, entry in files.items():
        size = inside(directory, name).stat().st_size
        if size != entry["bytes"]:
            raise ExportError(
                f"{name} has {size} bytes, the manifest says {entry['bytes']}. Where: {directory}. "
                "Copy the folder again, whole, or export again."
            )
