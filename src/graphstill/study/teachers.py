"""The sections of a recipe that bring a student more than labels: a teacher, and a network to start from."""

from __future__ import annotations

from typing import Any, Literal

from graphstill.errors import ConfigError
from graphstill.plain_yaml import Place as Path_
from graphstill.study.parts import model_section, seeds_section, task_section, training_section
from graphstill.study.schema import Resolved, Section, check
from graphstill.study.source import Source


class TeacherFile(Section):
    """Either a model to train, or the directory of a run that is trained already; `ensemble`: its members together.

    Where the task has edges or training nodes removed: whether the teacher is trained without them too ("same") or on
    the full task, and the graph that its outputs are computed on, the full one or the students' own.
    """

    model: Any = None
    training: Any = None
    seeds: Any = None
    run: str | None = None
    ensemble: bool = False
    task: Literal["same", "full"] = "same"
    graph: Literal["full", "own"] = "own"


class StartFile(Section):
    """Either a task to train the student's network on first, or the directory of a run that is trained already."""

    task: Any = None
    training: Any = None
    shuffle_labels: bool = False
    run: str | None = None


class Teacher(Resolved):
    """A checked teacher: `run`, or `model`, `training` and `seeds`; `task` and `graph` where the task is reduced.

    `ensemble` is True or absent.
    """

    run: str | None = None
    ensemble: bool | None = None
    model: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    seeds: list[int] | None = None
    task: str | None = None
    graph: str | None = None


class Start(Resolved):
    """A checked start: `run` alone, or `task` with `training` and whether its labels are shuffled."""

    run: str | None = None
    task: dict[str, Any] | None = None
    training: dict[str, Any] | None = None
    shuffle_labels: bool | None = None


def teacher_section(value: Any, task: dict[str, Any], seeds: list[int], source: Source) -> Teacher | None:
    """A checked teacher. Raises ConfigError that names the line."""
    if value is None:
        return None
    path = ("teacher",)
    given = check(TeacherFile, value, source, path, "teacher")
    _one_of(given, "model", ("training", "seeds", "task"), source, path, "teacher")
    reduced = any(task.get(key) is not None for key in ("edges_removed", "train_removed"))
    for key in ("task", "graph"):
        if key in given and not reduced:
            raise ConfigError(
                f"teacher.{key} is {given[key]!r}, but nothing is removed from the task: {source.where((*path, key))}. "
                "Remove it, or set task.edges_removed or task.train_removed."
            )
    if "run" in given:
        return Teacher(run=given["run"], ensemble=given.get("ensemble") or None, graph=given.get("graph"))
    model = model_section(given["model"], source, (*path, "model"), "teacher")
    own, trained_on = given.get("seeds"), given.get("task", "same")
    return Teacher(
        ensemble=given.get("ensemble") or None,
        model=model,
        training=training_section(given.get("training"), model, source, (*path, "training")),
        seeds=seeds if own is None else seeds_section(own, source, (*path, "seeds")),
        task=trained_on if reduced else None,
        graph=given.get("graph", "full" if trained_on == "full" else "own") if reduced else None,
    )


def start_section(value: Any, student: dict[str, Any], source: Source) -> Start | None:
    """A checked start, of a student like `student`. Raises ConfigError that names the line."""
    if value is None:
        return None
    path = ("start",)
    given = check(StartFile, value, source, path, "start")
    _one_of(given, "task", ("training", "shuffle_labels"), source, path, "start")
    if "run" in given:
        return Start(run=given["run"])
    return Start(
        task=task_section(given["task"], source, (*path, "task")),
        training=training_section(given.get("training"), student, source, (*path, "training")),
        shuffle_labels=given.get("shuffle_labels", False),
    )


def _one_of(given: dict[str, Any], key: str, others: tuple[str, ...], source: Source, path: Path_, what: str) -> None:
    """That there is `run` or what is to be trained, not both, and with `run` nothing of that training."""
    if ("run" in given) == (key in given):
        raise ConfigError(
            f"a {what} has either `run` (a directory) or `{key}`, here it has {', '.join(given) or 'nothing'}: "
            f"{source.where(path)}. Keep one of them."
        )
    odd = sorted(given.keys() & set(others))
    if "run" in given and odd:
        raise ConfigError(
            f"a {what} that is trained already takes no {' or '.join(odd)}: "
            f"{source.where(path)}. Remove it, or give `{key}` instead of `run`."
        )
