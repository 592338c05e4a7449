"""A model's specification: what to build, not the weights. And the checks that its options pass through."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Literal

import torch

from graphstill.errors import ConfigError, nearest
from graphstill.nn.by_graph import ByGraph
from graphstill.nn.cohort import Cohort
from graphstill.nn.known_labels import KnownLabels
from graphstill.nn.layers import initialise
from graphstill.nn.readout import READOUTS, Readout

#: Sizes beyond which a network takes hours to be made, or does not fit any machine.
MOST_WIDE, MOST_DEEP, DEPTHS = 2**20, 1_000, frozenset({"layers", "depth", "hops"})


class Model(ABC):
    """A frozen dataclass of options that builds cohorts.

    ``defaults`` are published training settings for this architecture: ``lr``, ``weight_decay`` (a float, or a dict
    from a
    prefix of parameter names to a float: the longest match wins, ``""`` is for the rest), ``epochs`` and ``patience``.
    """

    name: ClassVar[str]
    defaults: ClassVar[dict[str, Any]] = {}
    #: What a row of its features is: a node with its edges, or an image.
    takes: ClassVar[Literal["graph", "image"]] = "graph"
    #: How nodes become one answer a graph, in models that can; None: each node is answered for.
    readout: Readout | None = None

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if ":" in getattr(cls, "name", ":"):  # until it has a name of its own: where a recipe finds it
            cls.name = f"{cls.__module__}:{cls.__qualname__}"

    def __post_init__(self) -> None:
        """Checks of values; types are checked before, where the model is registered."""

    def fitted(self, edge_codes: tuple[int, ...] | None, edge_width: int) -> Model:
        """This model for edges with these codes, or with so many numbers each; itself where it does not read them."""
        return self

    @abstractmethod
    def allocate(self, inputs: int, outputs: int, seeds: Sequence[int]) -> Cohort:
        """A cohort with a member per seed whose weights are not initialised yet."""

    def build(
        self,
        inputs: int,
        outputs: int,
        seeds: Sequence[int],
        known: KnownLabels | None = None,
    ) -> Cohort:
        """A cohort with a member per seed; each member's initial weights depend on its own seed only.

        Args:
            inputs: width of the features.
            outputs: number of classes, or of labels in a multi-label task.
            seeds: one whole number a member.
            known: the labels that a :class:`~graphstill.nn.known.TransductiveModel` has as an input; no other model
                looks at them.

        Raises:
            ConfigError: a width below 1, no seed, or a seed that is not a whole number.
        """
        self.check_build(inputs, outputs, seeds)
        cohort = self.allocated(inputs, outputs, seeds)
        initialise(cohort, cohort.seeds)
        return cohort

    def allocated(self, inputs: int, outputs: int, seeds: Sequence[int]) -> Cohort:
        """`allocate`, with the readout of the model behind it where it has one."""
        if self.readout is None:
            return self.allocate(inputs, outputs, seeds)
        return ByGraph(self, inputs, outputs, seeds)  # type: ignore[arg-type]

    def parameters_count(self, inputs: int, outputs: int, known: KnownLabels | None = None) -> int:
        """How many trainable numbers one member has. Allocates nothing. `known` as for `build`."""
        self.check_build(inputs, outputs, [0])
        with torch.device("meta"):
            cohort = self.allocated(inputs, outputs, [0])
        return sum(p.numel() for p in cohort.parameters() if p.requires_grad)

    def options(self) -> dict[str, Any]:
        """The specification as plain values, by option name: what a recipe stores."""
        if not dataclasses.is_dataclass(self):
            raise ConfigError(
                f"{type(self).__name__} is not a dataclass, so its options are unknown: "
                "decorate it with @dataclass(frozen=True)"
            )
        # A readout is not told where there is none, so that recipes and runs from before there were any stay the same.
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name != "readout" or self.readout is not None
        }

    def check_build(self, inputs: int, outputs: int, seeds: Sequence[int]) -> None:
        where = f"{type(self).__name__}.build"
        for key, value in (("inputs", inputs), ("outputs", outputs)):
            if not _whole(value) or value < 1:
                raise ConfigError(f"{key}={value!r} in {where}: give a whole number of at least 1")
        if isinstance(seeds, int) or not len(seeds) or not all(_whole(seed) for seed in seeds):
            raise ConfigError(
                f"seeds={seeds!r} in {where}: give a sequence of whole numbers, one a member, for instance [0, 1, 2]"
            )

    def _whole(self, *keys: str, minimum: int = 1) -> None:
        for key in keys:
            value, most = getattr(self, key), MOST_DEEP if key in DEPTHS else MOST_WIDE
            if not _whole(value) or not minimum <= value <= most:
                self._refuse(key, f"a whole number of at least {minimum}, and at most {most:,}")

    def _fraction(self, *keys: str) -> None:
        for key in keys:
            value = getattr(self, key)
            if not _number(value) or not 0.0 <= value < 1.0:
                self._refuse(key, "a number from 0 up to, not including, 1")

    def _positive(self, *keys: str) -> None:
        for key in keys:
            value = getattr(self, key)
            if not _number(value) or not 0.0 < value < float("inf"):
                self._refuse(key, "a number above 0")

    def _flag(self, *keys: str) -> None:
        for key in keys:
            if not isinstance(getattr(self, key), bool):
                self._refuse(key, "True or False")

    def _reads_out(self) -> None:
        if self.readout is not None:
            self._choice("readout", READOUTS)

    def _choice(self, key: str, known: Iterable[str]) -> None:
        value, names = getattr(self, key), tuple(known)
        if value not in names:
            self._refuse(key, f"one of {', '.join(names)} ({nearest(str(value), names)})")

    def _refuse(self, key: str, wanted: str) -> None:
        raise ConfigError(f"{key}={getattr(self, key)!r} in {type(self).__name__}: give {wanted}")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
