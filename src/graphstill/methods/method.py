"""What a method is: configuration in its constructor, a loss, and optionally modules of its own."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from graphstill.errors import ConfigError, MethodError, nearest
from graphstill.methods.views import Peers, View
from graphstill.nn.output import Output
from graphstill.ops import Adjacency, SparseFeatures

METHODS: dict[str, type[Method]] = {}
Nodes = Literal["train", "all"]
M = TypeVar("M", bound="type[Method]")


class Needs(NamedTuple):
    """What a method cannot run without."""

    teacher: bool = False
    peers: bool = False
    hidden: bool = False
    teacher_hidden: bool = False
    teacher_sensitivity: bool = False
    heads: bool = False
    graph: bool = False


@dataclass
class Spec:
    """What a method may build its modules from. Widths are those of the hidden layers, first to last.

    `features` [N, F] and `graph` are those of the first training batch; `full` says that there is no other. `seen` are
    the task's nodes or images that training batches hold, where that is known: int64 ids, or None for all `num_nodes`.
    """

    runs: int
    peers: int
    seeds: Sequence[int]
    outputs: int
    multi_label: bool
    student: Output
    teacher: View | None
    architecture: str
    num_nodes: int
    device: torch.device
    features: SparseFeatures | Tensor
    graph: Adjacency
    full: bool
    seen: Tensor | None = None
    #: [1 or M, all nodes of the task], where the method needs it: see `engine.knowledge.Knowledge`.
    teacher_sensitivity: Tensor | None = None

    @property
    def members(self) -> int:
        return self.runs * self.peers

    @property
    def widths(self) -> list[int]:
        """Width of each hidden layer of the student."""
        return [h.pre.shape[-1] for h in self.student.hidden]


@dataclass
class Parts:
    """Modules and state that a method brings along, every tensor with the member axis in front.

    `joint` is trained with the student by the student's optimiser; `adversary` by an Adam of its own (`adversary_lr`,
    by default the student's; by default no weight decay), one step before each student step, or in every
    `adversary_every`-th epoch only; `state` has no gradient, is changed in `after_step`, and is checkpointed;
    `options` are plain values settled once from the shapes.
    """

    joint: nn.Module | None = None
    adversary: nn.Module | None = None
    adversary_lr: float | None = None
    adversary_weight_decay: float = 0.0
    adversary_every: int = 1
    state: dict[str, Tensor] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Step:
    """Where training stands, and which rows of the batch carry a training label."""

    epoch: int
    progress: float
    train_rows: Tensor
    y: Tensor
    multi_label: bool
    parts: Parts
    group: Peers | None = None
    #: The members that learn in this step, where peers take turns: int64 indices. None: all of them.
    learning: Tensor | None = None
    #: Training steps before this one: with a member's seed it determines what is drawn at random.
    number: int = 0
    #: Features of the batch, [N, F].
    x: SparseFeatures | Tensor | None = None
    #: What `forward` calls: None where the students are several networks or take turns.
    again: Callable[[Tensor, Tensor], Output] | None = None

    @property
    def features(self) -> SparseFeatures | Tensor:
        """Features of the batch, [N, F]."""
        assert self.x is not None
        return self.x

    def forward(self, x: Tensor, rows: Tensor) -> Output:
        """The students' outputs [M, n, C] once more, on other features of some rows; attached, with the step's noise.

        Args:
            x: [M, n, F]; rows: int64 [M, n], which rows of the batch they are, none twice. A network that looks at the
                graph sees the batch's own features at all others, and returns no hidden layers.

        Raises:
            MethodError: the students are not one cohort that steps together.
        """
        if self.again is None:
            raise MethodError(
                "a method runs the students on features of its own, for which they must be one cohort, but here they "
                "take turns or differ in architecture: use one model, and updates 'simultaneous'"
            )
        return self.again(x, rows)

    def rows(self, x: Tensor, nodes: Nodes) -> Tensor:
        """The rows of x [M, N, ...] that a term is computed on: labelled training nodes, or all nodes of the batch."""
        return x if nodes == "all" else x.index_select(1, self.train_rows)


@dataclass(frozen=True)
class Method(ABC):
    """Base of every published method. A subclass is a frozen dataclass: its fields are its whole configuration.

    Combine with `+` and scalar `*`: ``KD(temperature=4) + 100 * LSP()``. The effective loss of a run is

        supervision · CE(labels) + Σ weight · ramp · term

    where `supervision` is the product of what the parts declare (1 unless stated) and each term is one value a member.
    """

    name: ClassVar[str]
    needs: ClassVar[Needs] = Needs()
    #: How peers take turns unless the training configuration says otherwise.
    updates: ClassVar[Literal["simultaneous", "alternating"]] = "simultaneous"

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
        return Composite(self.terms + other.terms)

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
        return Composite(self.terms + other.terms)

    def __mul__(self, weight: float) -> Composite:
        if not isinstance(weight, int | float) or isinstance(weight, bool) or weight != weight or weight < 0:
            raise ConfigError(f"a method can be multiplied by a number >= 0 only, not by {weight!r}")
        return Composite(tuple(Term(t.method, t.weight * float(weight)) for t in self.terms))

    __rmul__ = __mul__

    def config(self) -> list[dict[str, Any]]:
        return [t.method.config() | {"weight": t.weight} for t in self.terms]

    def formula(self) -> str:
        return " + ".join(f"{t.weight:g} * {t.method.formula()}" for t in self.terms)


def register(name: str) -> Callable[[M], M]:
    """Class decorator: makes a method known under `name` to recipes, the command, and the tests of all methods."""

    def add(cls: M) -> M:
        if name in METHODS:
            raise ConfigError(f"two methods are named {name!r}: {METHODS[name].__module__} and {cls.__module__}")
        cls.name = name
        METHODS[name] = cls
        return cls

    return add


def make_method(config: str | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Method | Composite:
    """A method from a recipe's value: a name, a mapping with `name`, or a list of such mappings with `weight`."""
    if isinstance(config, str):
        config = {"name": config}
    if not isinstance(config, Mapping):
        parts = [make_method(c) for c in config]
        if not parts:
            raise ConfigError("an empty list of methods: give at least one, or leave `method` out")
        return Composite(tuple(t for p in parts for t in p.terms))
    options = dict(config)
    name = options.pop("name", None)
    weight = options.pop("weight", None)
    preset = options.pop("preset", None)
    if name not in METHODS:
        raise ConfigError(f"unknown method {name!r} in a recipe's `method`: {nearest(str(name), METHODS)}")
    cls = METHODS[name]
    known = {f.name for f in dataclasses.fields(cls)}
    for key in options:
        if key not in known:
            raise ConfigError(f"method {name!r} has no option {key!r}: {nearest(key, known)}")
    if preset not in (None, "released"):
        raise ConfigError(f"unknown preset {preset!r} of method {name!r}: the only preset is 'released'")
    base = cls.released() if preset else cls()
    method = dataclasses.replace(base, **options)
    return method if weight is None else method * weight
