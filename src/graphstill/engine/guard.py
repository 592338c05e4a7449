"""Distillation that does no harm: how much of it there is, none among the possibilities, is chosen by validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphstill.data import Task
from graphstill.engine.doubts import OF_STUDENTS
from graphstill.engine.outcome import opened
from graphstill.engine.progress import Progress
from graphstill.engine.run import Run
from graphstill.errors import ConfigError, MethodError
from graphstill.files import remove_leftovers
from graphstill.method import Composite, Method
from graphstill.nn import Model, TransductiveModel

FACTORS = (0.0, 0.1, 1.0)
#: Between the seeds of one of several trainings and those of the next, so that none meets another's.
APART = 1_000_003
RULE = (
    "the first candidate whose validation figure, the mean over seeds, is no more than one standard error of the "
    "paired difference below the best"
)


@dataclass(frozen=True)
class Candidate:
    """One training that validation may choose: `value` is its factor, or its number where seeds alone differ.

    `train` is called with the folder (None: nothing is written) and the progress, and leaves the test set sealed.
    """

    value: float
    folder: str
    train: Callable[[Path | None, Progress | None], Run]


def factors_of(guard: bool | Sequence[float]) -> tuple[float, ...]:
    """The factors that a guard tries, from the smallest; none without a guard.

    Raises:
        ConfigError: not a boolean nor a list that holds 0 and another number up to 1.
    """
    if isinstance(guard, bool):
        return FACTORS if guard else ()
    numbers = not isinstance(guard, str) and isinstance(guard, Sequence)
    numbers = numbers and all(isinstance(f, int | float) and not isinstance(f, bool) and 0 <= f <= 1 for f in guard)
    factors = tuple(sorted({float(f) for f in guard})) if numbers else ()
    if len(factors) < 2 or factors[0] != 0 or len(factors) != len(guard):
        raise ConfigError(
            f"guard is {guard!r}: give True, False, or the distinct factors from 0 to 1 to choose from, 0 (the "
            f"undistilled student) among them, such as {list(FACTORS)}"
        )
    return factors


def check_guard(factors: Sequence[float], choices: int, models: Sequence[Model], method: Method | Composite) -> None:
    """Refuse what has nothing to choose from, with the reason.

    Raises:
        MethodError: nothing is distilled, or the student cannot be trained alone.
        ConfigError: `choices` is no positive number, or stands beside a guard.
    """
    if isinstance(choices, bool) or not isinstance(choices, int) or choices < 1:
        raise ConfigError(f"choices is {choices!r}: give 1 for one training, or how many validation chooses from")
    if not factors:
        return
    if choices > 1:
        raise ConfigError(
            f"choices is {choices} beside a guard: the guard chooses already, `choices` is for the undistilled student"
        )
    if all(t.method.name == "independent" for t in method.terms):
        raise MethodError(
            f"nothing is distilled by {method.formula()}, so there is nothing to guard: leave `guard` out"
        )
    known = next((m for m in models if isinstance(m, TransductiveModel)), None)
    if known is not None:
        raise MethodError(
            f"a guard falls back on the undistilled student, but model {known.name!r} has the training labels as an "
            "input and cannot be trained without a teacher: use guard=False"
        )


def open_candidates(folder: Path | None, resume: bool) -> None:
    """Make the folder in which candidates get theirs. Raises ConfigError where it holds another run."""
    if folder is None:
        return
    held = sorted(path.name for path in (*_candidates(folder), *folder.glob("result.json")))
    if held and not resume:
        raise ConfigError(f"{folder} holds a run already ({', '.join(held)}): use another directory, or resume it")
    refuse_other(folder, candidates=True)
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)


def refuse_other(folder: Path, candidates: bool) -> None:
    """Refuse to go on in the folder of a run with a guard without one, or the other way round.

    Raises:
        ConfigError: the folder holds the other kind.
    """
    if not candidates and (held := [path.name for path in _candidates(folder)]):
        raise ConfigError(
            f"{folder} holds a run that chooses between {', '.join(held)}: resume it with the same guard (or choices), "
            "or use another directory"
        )
    if candidates and (folder / "checkpoint.safetensors").exists():
        raise ConfigError(
            f"{folder} holds an unfinished run without a guard (checkpoint.safetensors): resume it with guard=False, "
            "or use another directory"
        )


def _candidates(folder: Path) -> list[Path]:
    return sorted([*folder.glob("factor-*"), *folder.glob("training-*")])


def run_candidates(
    kind: str,
    name: str,
    candidates: Sequence[Candidate],
    task: Task,
    recipe: dict[str, Any],
    folder: Path | None,
    progress: Progress | None,
) -> Run:
    """Train every candidate, choose one by validation, and open the test set for it alone.

    Each candidate has a folder of its own in `folder`; the result and weights of the chosen stand in `folder` itself.
    """
    runs = []
    for number, candidate in enumerate(candidates):
        own = None if folder is None else folder / candidate.folder
        runs.append(candidate.train(own, _part(progress, kind, candidate.value, number, len(candidates))))
    figures = [_by_run(run) for run in runs]
    chosen, margins = choose(figures, task.protocol()["val"])
    run, taught = runs[chosen], runs[-1].result
    result = opened(run, task, name) | {
        "name": name,
        "kind": "train" if kind == "choices" else "distill",
        "recipe": recipe,
        "seeds": recipe["seeds"],
        kind: {
            "candidates": [candidate.value for candidate in candidates],
            "chosen": candidates[chosen].value,
            "validation": figures,
            "margins": margins,
            "rule": RULE,
            "trainings": len(runs),
            "wall_seconds": [one.result["cost"]["wall_seconds"] for one in runs],
            "cpu_seconds": [one.result["cost"]["cpu_seconds"] for one in runs],
        },
    }
    cost = {key: round(sum(one.result["cost"][key] for one in runs), 4) for key in ("wall_seconds", "cpu_seconds")}
    result["cost"] = result["cost"] | cost
    if kind == "guard":  # also the undistilled student was chosen in view of this teacher
        result["teacher"] = taught["teacher"]
        result["protocol"] = result["protocol"] | {"teacher": taught["protocol"]["teacher"]}
        own = result["warnings"]
        result["warnings"] = own + [w for w in taught["warnings"] if w["code"] not in OF_STUDENTS and w not in own]
    whole = Run(result, run.cohorts)
    if folder is not None:
        whole.save(folder)
    return whole


def choose(figures: Sequence[Sequence[float]], items: int) -> tuple[int, list[float]]:
    """Which candidate validation chooses, the first in preference, and how far each may be below the best.

    Args:
        figures: validation figures in [0, 1] by candidate and seed; candidates in falling preference.
        items: of the validation part. With one seed, its sampling error stands for that of the difference, which is
            smaller: a single training must gain clearly.

    The harm of a wrong factor is worse than a small gain that is missed, so within one standard error of the paired
    difference to the best the first candidate is taken.
    """
    means = [math.fsum(own) / len(own) for own in figures]
    best = max(range(len(means)), key=lambda i: means[i])
    margins = [_error(figures[best], own, items) if i != best else 0.0 for i, own in enumerate(figures)]
    chosen = next(i for i, own in enumerate(means) if means[best] - own <= margins[i])
    return chosen, margins


def _error(best: Sequence[float], own: Sequence[float], items: int) -> float:
    """The standard error of the mean difference."""
    n = len(best)
    if n == 1:
        return math.sqrt(max(0.0, best[0] * (1 - best[0])) / max(1, items))
    differences = [a - b for a, b in zip(best, own, strict=True)]
    mean = math.fsum(differences) / n
    return math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (n - 1) / n)


def _by_run(run: Run) -> list[float]:
    """The mean member's validation figure of each seed."""
    peers, values = run.peers, run.validation
    return [math.fsum(values[i : i + peers]) / peers for i in range(0, len(values), peers)]


def _part(progress: Progress | None, kind: str, value: float, number: int, count: int) -> Progress | None:
    """Progress of one candidate as a part of all, with the factor beside the figures."""
    if progress is None:
        return None
    key = "factor" if kind == "guard" else "training"
    return lambda epoch, epochs, figures: progress(
        number * epochs + epoch, count * epochs, {key: float(value)} | figures
    )
