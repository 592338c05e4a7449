"""What a method is: configuration in its constructor, a loss, and optionally modules of its own."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from graphstill.errors import ConfigError, MethodError
from graphstill.method.reference import Reference
from graphstill.method.spec import Needs, Parts, Spec
from graphstill.method.step import Step
from graphstill.method.view import View
from graphstill.plain_yaml import shown


@dataclass(frozen=True)
class Method(ABC):
    """Base of every published method. A subclass is a frozen dataclass: its fields are its whole configuration.

    Combine with `+` and scalar `*`: ``KD(temperature=4) + 100 * LSP()``. The effective loss of a run is

        supervision · CE(labels) + Σ weight · ramp · term

    where `supervision` is the product of what the parts declare (1 unless stated) and each term is one value a member.

    >>> [term.weight for term in (gs.KD() + 100 * gs.LSP()).terms]
    [1.0, 100.0]
    """

    name: ClassVar[str]
    needs: ClassVar[Needs] = Needs()
    #: Why items must be nodes, where a method makes no sense on others; empty where it does.
    only_nodes: ClassVar[str] = ""
    #: Where it comes from: its paper first, then others that it follows; a control has none.
    reference: ClassVar[tuple[Reference, ...]] = ()
    #: What a search may vary, and the values it draws from: "weight" is that of the term, the others are options.
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    #: How peers take turns unless the training configuration says otherwise.
    updates: ClassVar[Literal["simultaneous", "alternating"]] = "simultaneous"

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        if "name" not in cls.__dict__:  # until it is registered: where a recipe finds it
            cls.name = f"{cls.__module__}:{cls.__qualname__}"

    def __post_init__(self) -> None:
        """Checks of values; types are checked before, where the method is registered."""

    def build(self, spec: Spec) -> Parts:
        """Modules and state of a run; called once, before the first step. Raises MethodError where shapes don't fit."""
        return Parts()

    @abstractmethod
    def loss(self, s: View, t: View | None, step: Step) -> dict[str, Tensor]:
        """Named terms, each [M]. `t` is the teacher, or the peers of an online method; both are detached."""

    def adversary_loss(self, s: View, t: View | None, step: Step) -> Tensor:
        """The discriminators' loss [M] on detached features; called only where `build` returned an adversary."""
        raise MethodError(f"{self.name} built an adversary but defines no adversary_loss: define it beside `loss`")

    def after_step(self, s: View, t: View | None, step: Step) -> None:
        """Update `step.parts.state` (banks, running statistics) after a student step, without gradient."""

    def supervision(self, progress: float) -> float:
        """Factor on the supervised loss, `progress` in [0, 1) through the distillation phase."""
        return 1.0

    def ramp(self, progress: float) -> float:
        """Factor on this method's own terms."""
        return 1.0

    def smoothing(self, epoch: int) -> float | None:
        """Width of the low-pass filter on the students' features in this epoch (from 0); None = no opinion."""
        return None

    @property
    def terms(self) -> tuple[Term, ...]:
        return (Term(self, 1.0),)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, with the registered name: what a recipe holds."""
        return {"name": self.name} | {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

    def formula(self) -> str:
        """The method's own part of the effective loss, for people."""
        arguments = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self))
        return f"{self.name}({arguments})"

    @classmethod
    def released(cls) -> Method:
        """The configuration that reproduces the authors' released code, where it differs from the paper."""
        raise ConfigError(f"method {cls.name!r} has no 'released' preset: leave out `preset`")

    def __add__(self, other: Method | Composite) -> Composite:
        return Composite(self.terms) + other

    def __mul__(self, weight: float) -> Composite:
        return Composite(self.terms) * weight

    __rmul__ = __mul__


@dataclass(frozen=True)
class Term:
    """One method of a sum, and its weight."""

    method: Method
    weight: float


@dataclass(frozen=True)
class Composite:
    """A sum of weighted methods, made by `+` and `*`."""

    terms: tuple[Term, ...]

    def __add__(self, other: Method | Composite) -> Composite:
        if not isinstance(other, Method | Composite):
            raise ConfigError(f"a method can be added to a method only, not to {shown(other)}")
        return Composite(self.terms + other.terms)

    def __mul__(self, weight: float) -> Composite:
        number = isinstance(weight, int | float) and not isinstance(weight, bool)
        if not number or not 0 <= weight < 1e300:
            raise ConfigError(f"a method can be multiplied by a number >= 0 only, not by {shown(weight)}")
        return Composite(tuple(Term(t.method, t.weight * float(weight)) for t in self.terms))

    __rmul__ = __mul__

    def config(self) -> list[dict[str, Any]]:
        return [t.method.config() | {"weight": t.weight} for t in self.terms]

    def formula(self) -> str:
        return " + ".join(f"{t.weight:g} * {t.method.formula()}" for t in self.terms)
