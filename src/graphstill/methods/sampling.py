"""Which nodes a method looks at in a step, and which features of theirs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from graphstill.errors import ConfigError, MethodError
from graphstill.methods.method import Method, Spec
from graphstill.methods.views import View
from graphstill.ops.noise import hash_seed

Place = Literal["pre", "post", "dropped"]
PLACES: tuple[str, ...] = get_args(Place)


def counts(method: Method, **values: int | None) -> None:
    """Each value must be a whole number above zero, or None."""
    for key, value in values.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ConfigError(f"{method.name}: {key} is {value!r}, but must be a whole number above 0")


def hidden(view: View, layer: int, place: Place, who: str = "student") -> Tensor:
    """Features [M, N, D] of a hidden layer before activation, after it, or after dropout."""
    features: Tensor = getattr(view.layer(layer, who), place)
    return features


def widths(spec: Spec, layer: int, teacher_layer: int) -> tuple[int, int]:
    """Widths of the student's and the teacher's hidden layer."""
    assert spec.teacher is not None
    student = View(spec.student.logits, spec.student.hidden, spec.teacher.graph, spec.teacher.nodes)
    return student.layer(layer).pre.shape[-1], spec.teacher.layer(teacher_layer, "teacher").pre.shape[-1]


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
