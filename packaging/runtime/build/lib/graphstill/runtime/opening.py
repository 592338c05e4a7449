"""A folder opened by what it says of itself: for what treats students of graphs and of images alike."""

from __future__ import annotations

from pathlib import Path

from graphstill.runtime.images import ImagePredictor
from graphstill.runtime.manifest import read_manifest, reads_images
from graphstill.runtime.predictor import Predictor

AnyPredictor = Predictor | ImagePredictor


def open_student(directory: str | Path, threads: int = 1, engine: str | None = None) -> AnyPredictor:
    """The predictor that the folder is for; arguments and errors are its own."""
    kind = ImagePredictor if reads_images(read_manifest(directory)) else Predictor
    return kind(directory, threads=threads, engine=engine)
