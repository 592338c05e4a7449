"""A trained member that classifies images, as a folder: what :func:`graphstill.export` does with a run on images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from graphstill.data import ImageTask
from graphstill.deploy import parity
from graphstill.deploy.card import CARD
from graphstill.deploy.card_images import card
from graphstill.deploy.engines import THREADS
from graphstill.deploy.figures import about
from graphstill.deploy.folder import staged
from graphstill.deploy.image_subject import ImageSubject, image_subject_of
from graphstill.deploy.measure import interleaved
from graphstill.deploy.options import Options
from graphstill.deploy.parity import TOLERANCE
from graphstill.deploy.plan import Array
from graphstill.deploy.source import Source
from graphstill.deploy.weights import write_weights
from graphstill.errors import ConfigError, ExportError
from graphstill.files import atomic_write_bytes, atomic_write_text
from graphstill.runtime import ImagePredictor
from graphstill.runtime.manifest import MODELS, write_manifest
from graphstill.runtime.probe import ImageCase as ProbeCase
from graphstill.runtime.probe import write_probe

ENGINE = "onnx"
MODEL = MODELS[ENGINE]
#: Validation images that are compared, evenly over all of them; images of the larger of the two that are timed.
VALIDATION, BATCH = 256, 64
#: Cases with at most this many images are kept with the export.
PROBE_IMAGES = 7


@dataclass(frozen=True, eq=False)
class ImageCase:
    """Images and what torch makes of them.

    Shapes:
        images: uint8 ``[n, channels, height, width]``. logits: float32 ``[n, classes]``.
    """

    kind: ClassVar[str] = "images:"
    name: str
    images: Array
    logits: Array

    @property
    def size(self) -> dict[str, int]:
        return {"images": len(self.images)}


def write_images(source: Source, directory: Path, task: ImageTask | None, options: Options) -> Path:
    """See :func:`graphstill.export`; the options are checked here."""
    run, int8, engine = source.run, options.int8, options.engine
    if int8 is not None or engine not in (None, ENGINE):
        raise ConfigError(
            f"int8={int8!r}, engine={engine!r} of run {run.name!r} on images, in graphstill.export: there is one "
            f"engine, {ENGINE!r}, with 32-bit weights (convolutions run slower with 8 bits); leave both out"
        )
    with staged(directory, options.overwrite) as folder, torch.no_grad():
        subject = image_subject_of(run, options.member)
        cases = made_cases(subject)
        manifest = about(source, subject) | _read_by_runtime(subject, task)
        atomic_write_bytes(folder / MODEL, subject.model)
        write_weights(folder, run, subject)
        kept = [case for case in cases if len(case.images) <= PROBE_IMAGES]
        write_probe(folder, [ProbeCase(case.images, case.logits) for case in kept])
        write_manifest(folder, manifest)  # the runtime reads it: it says what is known so far
        predictor = ImagePredictor(folder, threads=THREADS)
        if task is not None:
            cases.append(validation_case(subject, task))
        rows = parity.measure(lambda case: predictor.logits(case.images), cases, False, ENGINE)
        parity.check(rows, ENGINE, kind=ImageCase.kind)
        manifest["parity"] = parity.told(cases, {ENGINE: parity.summary(rows)}, {ENGINE: rows})
        manifest["timing"] = _timing(predictor, cases[0].images)
        manifest["sizes"] = {MODEL: (folder / MODEL).stat().st_size}
        atomic_write_text(folder / CARD, card(manifest, directory.name))
        write_manifest(folder, manifest)
    return directory


def made_cases(subject: ImageSubject, seed: int = 0) -> list[ImageCase]:
    """Batches of several sizes, of noise and of nothing: the first is the largest, and is timed."""
    rng = np.random.default_rng(seed)

    def noise(count: int) -> Array:
        return rng.integers(256, size=(count, *subject.shape), dtype=np.uint8)

    halves = noise(4) // 128 * 255
    inputs = [
        (f"{BATCH} of noise", noise(BATCH)),
        ("33 of noise", noise(33)),
        ("7 of noise", noise(7)),
        ("2 of noise", noise(2)),
        ("a single one", noise(1)),
        ("3 black ones", np.zeros((3, *subject.shape), np.uint8)),
        ("3 white ones", np.full((3, *subject.shape), 255, np.uint8)),
        ("4 of black and white pixels", halves),
    ]
    return [_case(subject, name, images, subject.normalized(torch.from_numpy(images))) for name, images in inputs]


def validation_case(subject: ImageSubject, task: ImageTask) -> ImageCase:
    """Validation images as the task hands them to the network, beside the bytes that they come from."""
    x = task.validation_batch().x
    assert isinstance(x, torch.Tensor)
    chosen = x[torch.linspace(0, len(x) - 1, min(len(x), VALIDATION)).round().long()]
    return _case(subject, f"{len(chosen)} validation images of {task.name}", subject.bytes_of(chosen).numpy(), chosen)


def _case(subject: ImageSubject, name: str, images: Array, x: torch.Tensor) -> ImageCase:
    logits = subject.network(x).float().numpy()
    if not np.isfinite(logits).all():
        raise ExportError(
            f"the trained network gives logits that are NaN or infinite on images: {name}, in graphstill.export: its "
            "training has diverged; train again with a lower learning rate"
        )
    return ImageCase(name, images, logits)


def _read_by_runtime(subject: ImageSubject, task: ImageTask | None) -> dict[str, Any]:
    """The keys of the manifest that the runtime needs; those of graphs say that there is none."""
    image = dict(zip(("channels", "height", "width"), subject.shape, strict=True))
    names = None if task is None else list(task.classes)
    return {
        "image": {**image, "mean": subject.mean, "std": subject.std, "class_names": names},
        "hops": 0,
        "feature_normalization": None,
        "plan": [],
        "engine": ENGINE,
        "tolerance": {ENGINE: TOLERANCE},
    }


def _timing(predictor: ImagePredictor, images: Array) -> dict[str, Any]:
    """Medians for a batch and for one image."""
    batch, one = f"{len(images)} images", "one image"
    runs = {batch: lambda: predictor.logits(images), one: lambda: predictor.logits(images[:1])}
    medians = interleaved(runs, THREADS)
    return {
        "images": batch,
        "threads": THREADS,
        "milliseconds": {ENGINE: medians[batch]},
        "one_image": medians[one],
        "reason": "the only one",
    }
