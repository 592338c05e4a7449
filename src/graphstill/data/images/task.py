"""ImageTask: images to be classified, what may be seen while learning, and what is held back."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor

from graphstill.data import hashing
from graphstill.data.batches import Batch, LazyBatches
from graphstill.data.convert import as_device
from graphstill.data.images.augment import AUGMENTS, PADDING, Augment, as_floats, augmented, scale_and_shift
from graphstill.data.images.raw import ImageStore, RawImages, make_store
from graphstill.data.images.subset import choose, whole_number
from graphstill.data.sealed import SealedTest, hidden_like
from graphstill.data.splits import PARTS, stream
from graphstill.data.taskdata import TEST, TRAIN, VAL
from graphstill.errors import ConfigError, DataError, nearest
from graphstill.ops.adjacency import Adjacency


class ImageOptions(TypedDict, total=False):
    """Options of an ImageTask; they are explained there."""

    name: str
    classes: int | None
    per_class: int | None
    val_per_class: int
    seed: int
    batch_size: int
    augment: Augment


class ImageTask:
    """Classes of images to be predicted.

    Test images are all those given for test, of the chosen classes; their labels are sealed. The usual image benchmarks
    have no validation images and select on test; here `val_per_class` images a class are taken out of the training
    images, so that a model sees somewhat fewer of them than in a paper that trains on all.

    What is drawn depends on `seed` alone, and less is always a part of more: the 10 classes of `classes=10` are among
    those of `classes=20`, the training images of `per_class=50` among those of `per_class=100`, and the validation
    images of a class are the same in all these.

    Pixels are normalised by mean and standard deviation of each channel over the training images (those that are
    learnt from, without augmentation); a channel without any deviation is only shifted.

    Args:
        train, test: uint8 [images, height, width, channels] with 1 or 3 channels, or [images, height, width].
        train_labels, test_labels: whole numbers [images], from 0.
        class_names: one a class; their numbers by default.
        name: in reports.
        classes: how many classes to keep, drawn; they are numbered anew, in their old order. None keeps all.
        per_class: training images a class, drawn. None takes all that validation leaves.
        val_per_class: validation images a class, from 1.
        seed: of the draws above; independent of weights and noise.
        batch_size: training images a batch, from 2.
        augment: of training images only. "crop": moved by up to 4 pixels, black where the image ends; "crop-flip": also
            mirrored left to right half of the time; "none".

    Attributes:
        in_features: channels; image_size: (height, width); num_outputs: classes; classes: their names.
        num_nodes, num_items: images of all three parts, with ids from 0, test images last; num_edges: 0.
        y: int64 [num_nodes]; -1 for test images, whose labels are in `test` only.
        train_index, val_index, test_index: int64, sorted ids.
        mean, std: one number a channel, of bytes divided by 255.
        split: how the split came about; metric: "accuracy"; origin: None, since an image task is never a reduced one.
        hash: sha256 of pixels, labels, split, normalisation and augmentation, whatever the files and their place.
        test: the SealedTest.

    Raises:
        DataError: images or labels that cannot be learnt from; the message says what, where, and what to do.
        ConfigError: an option that makes no sense.
    """

    kind: ClassVar[Literal["image"]] = "image"
    item: ClassVar[Literal["image"]] = "image"
    metric = usual_metric = "accuracy"
    multi_label = False
    inductive = True
    num_edges = 0
    origin: None = None
    unused: tuple[str, ...] = ()
    of_edges: tuple[str, ...] = ()

    def __init__(
        self,
        train: Any,
        train_labels: Any,
        test: Any,
        test_labels: Any,
        *,
        class_names: Sequence[str] | None = None,
        **options: Unpack[ImageOptions],
    ) -> None:
        names = None if class_names is None else tuple(class_names)
        raw = RawImages(train, train_labels, test, test_labels, names)
        self._build(make_store(raw, options.get("name", "custom")), "given", **options)

    @classmethod
    def _from(cls, store: ImageStore, test: str, **options: Unpack[ImageOptions]) -> Self:
        task = cls.__new__(cls)
        task._build(store, test, **options)
        return task

    def _build(
        self,
        store: ImageStore,
        test: str,
        *,
        name: str = "custom",
        classes: int | None = None,
        per_class: int | None = None,
        val_per_class: int = 50,
        seed: int = 0,
        batch_size: int = 64,
        augment: Augment = "none",
    ) -> None:
        whole_number("batch_size", batch_size, 2, f"task {name!r}")
        if augment not in AUGMENTS:
            raise ConfigError(f"augment={augment!r} of task {name!r}; {nearest(str(augment), AUGMENTS)}")
        chosen = choose(store, f"task {name!r}", test, classes, per_class, val_per_class, seed)
        split, labels = chosen.split, chosen.labels
        self.name, self.split, self.classes = name, split.name, chosen.classes
        self.batch_size, self.augment = batch_size, augment
        self.train_index, self.val_index, self.test_index = split.train, split.val, split.test
        self.num_nodes, self.num_outputs = len(labels), len(chosen.classes)
        self.in_features, height, width = store.images.shape[1:]
        self.image_size: tuple[int, int] = (height, width)
        self.mean, self.std = _mean_and_std(store.sums[chosen.rows[split.train].numpy()], height * width)
        self.y: Tensor = hidden_like(labels, torch.cat([split.train, split.val]))
        self._part = torch.full((self.num_nodes,), TEST, dtype=torch.uint8)
        self._part[split.train], self._part[split.val] = TRAIN, VAL
        self._pixels, self._rows = torch.from_numpy(store.images), chosen.rows
        self._prepare(torch.device("cpu"))
        pixels = hashlib.sha256(repr(store.images.shape[1:]).encode())
        pixels.update(store.digests[chosen.rows.numpy()].data.cast("B"))
        parts = [getattr(split, part) for part in PARTS]
        digests = {
            "pixels": pixels.digest(),
            "labels": hashing.arrays_digest(*(labels[part] for part in parts)),
            "split": hashing.arrays_digest(*parts),
            "normalization": hashing.arrays_digest(torch.tensor([self.mean, self.std], dtype=torch.float64)),
        }
        self.hash = hashing.combined(digests, augment=augment, padding=PADDING, outputs=self.num_outputs)
        self.test = SealedTest(labels[split.test], self.metric, self._test_batch)

    @property
    def num_items(self) -> int:
        return self.num_nodes

    def _prepare(self, device: torch.device) -> None:
        self._scale, self._shift = (part.to(device) for part in scale_and_shift(self.mean, self.std))
        self._validation: Batch | None = None
        self._graphs: dict[int, Adjacency] = {}

    def training_batches(self, epoch: int, seed: int = 0) -> Sequence[Batch]:
        """The batches of one epoch: each training image once, augmented, made when it is asked for.

        Order and augmentation are a pure function of (seed, epoch), and of a batch's number. The last batch is smaller
        where the images do not divide, and left out where it would have a single image.
        """
        order = torch.from_numpy(stream(seed, "order of training images", epoch).permutation(len(self.train_index)))
        ids = self.train_index[order.to(self.y.device)]
        count = math.ceil(len(ids) / self.batch_size) - (len(ids) % self.batch_size == 1)

        def make(number: Sequence[int]) -> Batch:
            begin = number[0] * self.batch_size
            generator = stream(seed, "augmentation of images", epoch, number[0])
            return self._batch(ids[begin : begin + self.batch_size], self.augment, generator)

        return LazyBatches([(number,) for number in range(count)], make)

    def validation_batch(self) -> Batch:
        """All validation images, as they are: always the same object."""
        if self._validation is None:
            self._validation = self._batch(self.val_index)
        return self._validation

    def full_batch(self) -> Batch:
        """All images as they are, test labels hidden, to serve or measure a trained model on.

        Made anew each time: of a large data set it takes four bytes a number (CIFAR-100: 740 MB).
        """
        return self._batch(torch.arange(self.num_nodes, device=self.y.device))

    def plain_batch(self, ids: Tensor) -> Batch:
        """These images, int64 ids, as they are; labels of test images are hidden."""
        return self._batch(ids)

    def _test_batch(self) -> tuple[Batch, Tensor]:
        return self._batch(self.test_index), torch.arange(len(self.test_index), device=self.y.device)

    def _batch(self, ids: Tensor, augment: Augment = "none", generator: np.random.Generator | None = None) -> Batch:
        images = self._pixels.index_select(0, self._rows[ids])
        if generator is not None:
            images = augmented(images, augment, generator)
        count = len(ids)
        if count not in self._graphs:
            nothing = torch.empty(2, 0, dtype=torch.int64, device=ids.device)
            self._graphs[count] = Adjacency.from_edge_index(nothing, count)
        part = self._part[ids]
        train_rows, val_rows = ((part == wanted).nonzero().view(-1) for wanted in (TRAIN, VAL))
        x = as_floats(images, self._scale, self._shift)
        return Batch(x, self._graphs[count], self.y[ids], train_rows, val_rows, ids, full=False)

    def check_teacher(self, hash: str, what: str) -> ImageTask:
        """This task, where `what`, of that hash, was made from it.

        Raises:
            DataError: it was made from another one, so that it may have seen this task's test images.
        """
        if self.hash == hash:
            return self
        raise DataError(
            f"{what} was made from other data (hash {hash[:12]}) than task {self.name!r} (hash {self.hash[:12]}): "
            "it may have seen this task's test images; train it on this very task: the same images, labels, split "
            "(classes, per_class, val_per_class, seed) and augmentation"
        )

    def protocol(self) -> dict[str, Any]:
        """What is printed with every result, as plain values; with the keys of `NodeTask.protocol` and a few more."""
        return {
            "dataset": self.name,
            "hash": self.hash,
            "split": self.split,
            "setting": "inductive",
            "metric": self.metric,
            "selection": f"validation {self.metric}",
            "nodes": self.num_nodes,
            "edges": 0,
            "edges_removed": [],
            "train_removed": [],
            "labels_shuffled": None,
            "positions": None,
            "walks": None,
            "graphs": 0,
            "homophily": None,
            "edges_unused": [],
            "features": self.in_features,
            "feature_normalization": None,
            "features_binarized": False,
            "outputs": self.num_outputs,
            "train": len(self.train_index),
            "val": len(self.val_index),
            "test": len(self.test_index),
            "image_size": list(self.image_size),
            "pixel_mean": list(self.mean),
            "pixel_std": list(self.std),
            "augmentation": self.augment,
            "batch_size": self.batch_size,
        }

    def to(self, device: torch.device | str) -> ImageTask:
        """This task on a device, where its bytes then are; it shares the record of test openings and the hash."""
        moved, device = copy.copy(self), as_device(device)
        for part in ("train_index", "val_index", "test_index", "y", "_part"):
            setattr(moved, part, getattr(self, part).to(device))
        if device != self._pixels.device:  # what is mapped from a file stays there as long as it can
            moved._pixels = self._pixels[self._rows].to(device)
            moved._rows = torch.arange(self.num_nodes, device=device)
        moved._prepare(device)
        moved.test = self.test.moved(moved._test_batch)
        return moved

    def __repr__(self) -> str:
        height, width = self.image_size
        return (
            f"ImageTask({self.name!r}, images={self.num_nodes}, size={self.in_features}x{height}x{width}, "
            f"classes={self.num_outputs}, split={self.split!r}, augment={self.augment!r}, hash={self.hash[:12]})"
        )


def _mean_and_std(sums: np.ndarray, pixels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each channel, from whole-number sums [images, channels, 2]: the same to the last bit on every machine."""
    count = len(sums) * pixels
    totals = [(int(total), int(squares)) for total, squares in sums.sum(axis=0)]
    mean = tuple(total / (255 * count) for total, _ in totals)
    std = tuple(math.sqrt(count * squares - total * total) / (255 * count) for total, squares in totals)
    return mean, std
