"""What a case is: one piece of work, ours and the baselines', built where it is measured."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.speed.count import Work

Step = Callable[[], object]
OURS = "graphstill"
#: Files of `cases/`, in the order of the page.
SUBJECTS = (
    "citation", "cohorts", "attention", "large", "products", "losses", "evaluation", "startup", "images", "options",
    "scaling",
)  # fmt: skip


@dataclass(frozen=True)
class Built:
    """What a case's builder returns.

    Attributes:
        paths: by name, what makes a step: a function that sets up and returns what is timed. Ours comes first.
        work: of one step, counted from shapes.
        sizes: nodes, edges, width, ...: what describes the case, and the axes of the scaling curves.
        figures: CPU seconds of baselines that were measured elsewhere, once: the authors' released code.
    """

    paths: dict[str, Callable[[], Step]]
    work: Work | None = None
    sizes: dict[str, float] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A named case.

    Attributes:
        unit: what one step is.
        memory: whether peak memory is measured too, in further processes.
        rounds: at most so many.
        optional: only run when named, or with ``--all``: compilers take tens of seconds.
        own_process: the paths measure processes that they start; allocator settings and forks are no part of it.
    """

    name: str
    subject: str
    what: str
    build: Callable[[], Built]
    unit: str = "training step"
    memory: bool = True
    rounds: int = 9
    optional: bool = False
    own_process: bool = False


CASES: dict[str, Case] = {}


def case(name: str, what: str, **options: object) -> Callable[[Callable[[], Built]], Callable[[], Built]]:
    """Register the decorated builder as a case."""

    def register(build: Callable[[], Built]) -> Callable[[], Built]:
        assert name not in CASES, name
        CASES[name] = Case(name, build.__module__.rpartition(".")[2], what, build, **options)  # type: ignore[arg-type]
        return build

    return register


def all_cases() -> dict[str, Case]:
    for subject in SUBJECTS:
        importlib.import_module(f"benchmarks.speed.cases.{subject}")
    return CASES
