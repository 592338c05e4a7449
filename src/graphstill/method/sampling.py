"""Which nodes a method looks at in a step, and which features of theirs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import ConfigError, MethodError
from graphstill.method import Method, Spec, View
from graphstill.ops.noise import hash_seed

Place = Literal["pre", "post", "dropped"]
PLACES: tuple[str, ...] = get_args(Place)


def counts(method: Method, **values: int | None) -> None:
    """Each value must be a whole number above zero, or None."""
    for key, value in values.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ConfigError(f"{method.name}: {key} is {value!r}, but must be a whole number above 0")


def features(view: View, layer: int, place: Place, who: str = "student") -> Tensor:
    """Features of a hidden layer before activation, after it, or after dropout: [M, N, D], or maps [M, N, C, H, W]."""
    found: Tensor = getattr(view.layer(layer, who), place)
    return found


def hidden(view: View, layer: int, place: Place, who: str = "student") -> Tensor:
    """The same as one vector a node or image, [M, N, D]: the maps of an image are laid out one after another."""
    return features(view, layer, place, who).flatten(2)


def shapes(spec: Spec, layer: int, teacher_layer: int) -> tuple[torch.Size, torch.Size]:
    """Shape of the student's and of the teacher's features, without members and nodes: [D] or [C, H, W]."""
    assert spec.teacher is not None
    student = View(spec.student.logits, spec.student.hidden, spec.teacher.graph, spec.teacher.nodes)
    return student.layer(layer).pre.shape[2:], spec.teacher.layer(teacher_layer, "teacher").pre.shape[2:]


def widths(spec: Spec, layer: int, teacher_layer: int) -> tuple[int, int]:
    """Widths of the student's and the teacher's hidden layer, as `hidden` returns it."""
    student, target = shapes(spec, layer, teacher_layer)
    return student.numel(), target.numel()


def same_places(name: str, student: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Maps averaged down to the smaller height and width of the two, by adaptive pooling; vectors as they are.

    Raises:
        MethodError: one network gives maps and the other vectors.
    """
    if student.dim() != target.dim():
        kinds = {True: "maps (channels, height, width)", False: "a vector"}
        raise MethodError(
            f"method {name!r} compares features place by place, but those of an image are {kinds[student.dim() == 5]} "
            f"in the student's layer and {kinds[target.dim() == 5]} in the teacher's: choose layer and teacher_layer "
            "of one kind (-1 is the pooled vector, -2 the last maps)"
        )
    if student.shape[3:] == target.shape[3:]:
        return student, target
    size = (min(student.shape[3], target.shape[3]), min(student.shape[4], target.shape[4]))
    pooled = [F.adaptive_avg_pool2d(x.flatten(0, 1), size).unflatten(0, x.shape[:2]) for x in (student, target)]
    return pooled[0], pooled[1]


def same_width(name: str, student: int, teacher: int, remedy: str) -> None:
    """MethodError where the two widths differ."""
    if student != teacher:
        raise MethodError(
            f"method {name!r} compares hidden features channel by channel, but the student's are {student} wide and "
            f"the teacher's {teacher}: {remedy}"
        )


class Sampler:
    """Draws nodes for each member: a pure function of (member seed, purpose, step), whatever other members there are.

    Drawn on the CPU, so that all devices see the same nodes.
    """

    def __init__(self, seeds: Sequence[int], purpose: str) -> None:
        self.seeds, self.stream = tuple(seeds), zlib.crc32(purpose.encode())

    def draw(self, step: int, population: int, count: int | None, device: torch.device) -> Tensor | None:
        """int64 [M, count], distinct numbers below `population`, ascending; None, for all, where count is as many."""
        if count is None or count >= population:
            return None
        rows = np.empty((len(self.seeds), count), np.int64)
        for row, seed in zip(rows, self.seeds, strict=True):
            generator = np.random.default_rng(hash_seed(seed, self.stream, step))
            row[:] = np.sort(generator.choice(population, count, replace=False, shuffle=False))
        return torch.from_numpy(rows).to(device)
