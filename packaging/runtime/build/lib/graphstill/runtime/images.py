"""An exported student that classifies images, ready to answer."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from graphstill.errors import DataError, ExportError
from graphstill.runtime.engines import open_session
from graphstill.runtime.jagged import Floats, Ints
from graphstill.runtime.manifest import MODELS, inside
from graphstill.runtime.scores import labels, probabilities
from graphstill.runtime.student import Student

Bytes = npt.NDArray[np.uint8]
#: The maps of not more pixels than this are held at a time: those of 256 images of 32x32.
CHUNK_PIXELS = 256 * 32 * 32


class ImagePredictor(Student):
    """A student of images from the folder that ``graphstill export`` wrote.

    Images are bytes, as they come out of a file: the normalisation of training is a part of the network. It keeps
    nothing between calls; calls from several threads at a time are fine.

    Args:
        directory: the folder.
        threads: of ONNX Runtime, within an operator (operators run one at a time).
        engine: "onnx", the only one there is.

    Attributes:
        manifest: what the folder says of itself. shape: (channels, height, width) of an image. classes: width of the
        logits; class_names: a name each, None where the folder was exported without the data. engine, engines, threads:
        as for :class:`Predictor`.

    Raises:
        ExportError: the folder is missing, broken or incomplete.
        ConfigError: a network of graphs, another engine than the folder has, or a number of threads below 1.
    """

    of_images: ClassVar[bool] = True

    def __init__(self, directory: str | Path, threads: int = 1, engine: str | None = None) -> None:
        directory = Path(directory)
        super().__init__(directory, threads, engine)
        image = self.manifest["image"]
        self.shape: tuple[int, int, int] = (image["channels"], image["height"], image["width"])
        self.class_names: list[str] | None = image.get("class_names")
        file = MODELS[self.engine]
        self._session = open_session(inside(directory, file), threads)
        inputs = [port.name for port in self._session.get_inputs()]
        if inputs != ["images"]:
            raise ExportError(f"{file} asks for {inputs}, not for images. Where: {directory}. Export again.")

    def __repr__(self) -> str:
        return f"ImagePredictor(engine={self.engine!r}, shape={self.shape}, classes={self.classes})"

    def logits(self, images: Bytes) -> Floats:
        """Logits of each image. A long batch is computed in parts, so that memory does not grow with it.

        Shapes:
            images: uint8 ``[n, channels, height, width]``, of the size that it was trained on; returns float32
            ``[n, classes]``.

        Raises:
            DataError: images of another type, shape or size; the message says which and what to do.
        """
        images = self._check(images)
        each = max(1, CHUNK_PIXELS // (self.shape[1] * self.shape[2]))
        made = [np.empty((0, self.classes), np.float32)]
        for start in range(0, len(images), each):
            made += self._session.run(["logits"], {"images": images[start : start + each]})
        return np.concatenate(made)

    def predict(self, images: Bytes) -> Ints:
        """Numbers of the classes: int64 ``[n]``. See :meth:`logits`."""
        return labels(self.logits(images), multi_label=False)

    def probabilities(self, images: Bytes) -> Floats:
        """Softmax of the logits: ``[n, classes]``. See :meth:`logits`."""
        return probabilities(self.logits(images), multi_label=False)

    def _check(self, images: Bytes) -> Bytes:
        images = np.asarray(images)
        if images.dtype == np.uint8 and images.shape[1:] == self.shape:
            return np.ascontiguousarray(images)
        channels, height, width = self.shape
        raise DataError(
            f"images are {images.dtype} {list(images.shape)}. Where: ImagePredictor. "
            f"Give uint8 [n, {channels}, {height}, {width}]: {self._hint(images)}."
        )

    def _hint(self, images: npt.NDArray[np.generic]) -> str:
        """What is the most likely to help."""
        channels, height, width = self.shape
        if images.shape[1:] == (height, width, channels):
            return "channels come before height and width, images.transpose(0, 3, 1, 2)"
        if images.shape == self.shape:
            return "a single image is a batch of one, images[None]"
        if images.shape[1:] == self.shape:
            return "bytes from 0 to 255, as in the file; the network normalises them itself"
        return "of the size and with the channels that it was trained on"
