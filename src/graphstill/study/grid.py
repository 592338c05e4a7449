"""A grid: one YAML file that names data sets and methods, and becomes one recipe for each pair of them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import Field

from graphstill.errors import ConfigError, nearest
from graphstill.study.packaged import recipe_path
from graphstill.study.recipe import FOLDER, Recipe, check_recipe
from graphstill.study.schema import Section, check
from graphstill.study.source import Source
from graphstill.study.space import own_ranges

#: Sections of a recipe that a search may set; the undistilled student has its own copy of the first two.
SEARCHED = ("student", "training", "method")


class TuneFile(Section):
    """The search that both arms get: the same number of trials, on validation alone, the test set sealed.

    Trial 0 is the recipe as it stands; the others are drawn from `space`, and for the method also from the space of its
    own.
    """

    trials: int = Field(8, ge=1)
    seeds: int = Field(2, ge=1)
    space: dict[str, list[Any]] = Field(default_factory=dict)


class GridFile(Section):
    """The keys of the file.

    `recipe` is what all cells share; a task, and then a method, add keys to it or replace them. Beside these a task may
    have `tune` (trials and seeds of its own) and `splits` (so many public splits, one seed each, the comparison paired
    by split), a method `space` (what its trials set besides; `own` for the method's own ranges, all or one) and
    `without` (tasks).
    """

    name: str = Field(pattern=FOLDER)
    recipe: dict[str, Any]
    tasks: dict[str, dict[str, Any]]
    methods: dict[str, dict[str, Any]]
    tune: dict[str, Any] | None = None


@dataclass(frozen=True)
class Cell:
    """One task and one method: a recipe without what the search will set, and the settings that are tried."""

    task: str
    method: str
    tree: dict[str, Any]
    source: str
    baseline_trials: tuple[dict[str, Any], ...]
    trials: tuple[dict[str, Any], ...]
    trial_seeds: int
    splits: int | None = None

    @property
    def name(self) -> str:
        return f"{self.method}-{self.task}"

    def by_split(self) -> list[Cell]:
        """The cell itself; or one for each public split of its task, with the number of the split for its only seed."""
        if self.splits is None:
            return [self]
        trees = [
            {**self.tree, "task": {**_named(self.tree["task"]), "split": split}, "seeds": [split]}
            for split in range(self.splits)
        ]
        return [replace(self, tree=tree, trial_seeds=1, splits=None) for tree in trees]

    def recipe(self, trial: Mapping[str, Any] = {}, baseline: Mapping[str, Any] = {}) -> Recipe:
        """The checked recipe with a trial's settings for the student, and another's for the undistilled one."""
        plain = check_recipe(Source(copy.deepcopy(self.tree), self.source)).resolved()
        # Every option of the other arm is written out: what the student's trial sets must not become its default.
        own = {key: plain[key] for key in ("baseline_student", "baseline_training") if key in plain}
        source = Source({**copy.deepcopy(self.tree), **own}, self.source)
        for key, value in baseline.items():
            source.override(f"baseline_{key}={json.dumps(value)}")
        for key, value in trial.items():
            source.override(f"{key}={json.dumps(value)}")
        return check_recipe(source)


@dataclass(frozen=True)
class Grid:
    """A checked grid; `cells` are in the order of the file, task by task."""

    name: str
    cells: tuple[Cell, ...]

    def only(self, names: Iterable[str]) -> Grid:
        """The cells of these tasks, methods, or METHOD-TASK names. Raises ConfigError for a name that is none."""
        wanted = list(names)
        known = {key for cell in self.cells for key in (cell.task, cell.method, cell.name)}
        for name in wanted:
            if name not in known:
                raise ConfigError(f"no cell called {name!r} in grid {self.name!r}: {nearest(name, known)}")
        tasks, methods = {cell.task for cell in self.cells}, {cell.method for cell in self.cells}
        rows, columns = [n for n in wanted if n in tasks], [n for n in wanted if n in methods]
        exact = {n for n in wanted if n not in tasks and n not in methods}
        kept = tuple(
            cell
            for cell in self.cells
            if cell.name in exact
            or ((rows or columns) and (not rows or cell.task in rows) and (not columns or cell.method in columns))
        )
        return Grid(self.name, kept)


def read_grid(path: str | Path) -> Grid:
    """A grid file, every cell checked. Raises ConfigError, MethodError or DataError that says what is wrong, where."""
    return check_grid(Source.read(recipe_path(path)))


def check_grid(source: Source) -> Grid:
    """The same from text that is read already."""
    given = check(GridFile, source.tree, source, (), "the grid")
    tune = given.get("tune") or {"trials": 1}
    shared = check(TuneFile, tune, source, ("tune",), "tune").get("space", {})
    _check_space(shared, "tune.space", source)
    cells = []
    for task, of_task in given["tasks"].items():
        here = {**tune, **of_task.get("tune", {})}
        sizes = check(TuneFile, here, source, ("tasks", task, "tune"), f"tune of task {task!r}")
        for method, of_method in given["methods"].items():
            if task in of_method.get("without", []):
                continue
            tree = _merged(_merged(given["recipe"], of_task, ("tune", "splits")), of_method, ("space", "without"))
            own = own_ranges(of_method.get("space", {}), tree.get("method"), method, source)
            _check_space(own, f"methods.{method}.space", source)
            trials, arm = sizes.get("trials", 8), {k: v for k, v in shared.items() if not k.startswith("method.")}
            cell = Cell(
                task,
                method,
                {**tree, "name": f"{method}-{task}"},
                f"{source.name} [{task}, {method}]",
                _draw(f"{given['name']} {task}", arm, trials),
                _draw(f"{given['name']} {task} {method}", {**shared, **own}, trials),
                sizes.get("seeds", 2),
                _splits(of_task.get("splits"), task, source),
            )
            first = cell.by_split()[0]
            for trial in cell.trials:
                first.recipe(trial)
            for trial in cell.baseline_trials:
                first.recipe(baseline=trial)
            cells.append(cell)
    return Grid(given["name"], tuple(cells))


def _merged(old: Mapping[str, Any], new: Mapping[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
    """Options of the same thing side by side; a thing of another name takes the place of the old one."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        before = {"name": before} if isinstance(before, str) else before
        if (
            isinstance(before, dict)
            and isinstance(value, dict)
            and value.get("name", before.get("name")) == before.get("name")
        ):
            merged[key] = {**before, **value}
        elif key not in without:
            merged[key] = value
    return {key: value for key, value in merged.items() if key not in without}


def _splits(value: Any, task: str, source: Source) -> int | None:
    if value is None or (type(value) is int and value > 1):
        return value
    raise ConfigError(
        f"splits is {value!r}: {source.name}, tasks.{task}. Give how many public splits to use, at least 2, or none."
    )


def _named(value: Any) -> dict[str, Any]:
    return {"name": value} if isinstance(value, str) else dict(value)


def _check_space(space: Mapping[str, Any], where: str, source: Source) -> None:
    for key, values in space.items():
        section = key.partition(".")[0]
        if section not in SEARCHED or "." not in key or not isinstance(values, list) or not values:
            raise ConfigError(
                f"{key!r}: {values!r} in {where} is nothing to search: {source.name}. Give a dotted option of "
                f"{', '.join(SEARCHED)} and a list of values, for instance training.lr: [0.005, 0.01]."
            )


def _draw(name: str, space: Mapping[str, list[Any]], trials: int) -> tuple[dict[str, Any], ...]:
    """The settings as they stand, then distinct draws: the same list however often it is asked for."""
    chooser, drawn = random.Random(f"graphstill {name}"), [dict[str, Any]()]
    possible = int(bool(space))  # of no option there is no other draw: asking for one would never end
    for values in space.values():
        possible *= sum(value not in values[:i] for i, value in enumerate(values))
    while len(drawn) < min(trials, possible + 1):
        trial = {key: chooser.choice(values) for key, values in space.items()}
        if trial not in drawn:
            drawn.append(trial)
    return tuple(drawn)
