"""Runs a grid: settings chosen on validation for both arms, then each cell's recipe; what is done is kept."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from graphstill import threads
from graphstill.allocator import recycle_large_buffers
from graphstill.files import atomic_write_json
from graphstill.study.arms import REMOVALS, Arms, digest
from graphstill.study.grid import Cell, Grid
from graphstill.study.recipe import Recipe
from graphstill.study.runner import over_splits, run_recipe

#: For the trainings of an interrupted study to end their epoch.
GRACE_SECONDS = 1.5
#: Seeds of the trials; those of the comparison start at 0, so no trial has seen them.
TRIAL_SEEDS = 1000
Say = Callable[[str], None]
Step = Callable[[Cell, Path, str | Path | None], str]


def run_grid(
    grid: Grid, directory: str | Path, *, jobs: int = 1, root: str | Path | None = None, say: Say = print
) -> list[Path]:
    """Train every cell that is not finished yet, and return the files of all cells, `directory/results/CELL.json`.

    A result is a comparison as `run_recipe` makes it, with `tuned`: the trials of both arms and what was chosen.
    Teachers and undistilled students that several cells share are trained once, in `directory/parts`; trials are kept
    in `directory/trials`. Called again after an interrupt, it goes on where it stopped.

    Args:
        jobs: processes side by side. Cells that share a teacher wait for it: it is trained first.
        root: where the data is, instead of the environment variable GRAPHSTILL_DATA.
        say: called with a line when something is finished.

    Raises whatever the first failing cell raises; finished cells stay.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    results = [directory / "results" / f"{cell.name}.json" for cell in grid.cells]
    open_cells = [cell for cell, path in zip(grid.cells, results, strict=True) if not path.is_file()]
    # What cells share comes first, each once; the others find it ready.
    teachers = {digest(_teacher_key(cell)): cell for cell in open_cells}
    baselines = {digest(_baseline_key(cell)): cell for cell in open_cells}
    steps = ((_teach, teachers), (_baseline, baselines), (_finish, dict(enumerate(open_cells))))
    say(
        f"{len(grid.cells) - len(open_cells)} of {len(grid.cells)} cells are finished; to do: {len(teachers)} "
        "teachers, "
        f"{len(baselines)} undistilled students, {len(open_cells)} cells"
    )
    with ExitStack() as stack:
        pool = None if jobs == 1 else stack.enter_context(_pool(jobs))
        for step, work in steps:
            begun = time.monotonic()
            for number, line in enumerate(_each(step, list(work.values()), directory, root, pool), 1):
                if line:
                    say(f"{line} ({_so_far(number, len(work), begun)})")
    return results


def _so_far(done: int, count: int, begun: float) -> str:
    """ "3 of 28, about 12 min left" """
    left = (time.monotonic() - begun) / done * (count - done)
    rest = "" if done == count else f", about {left / 60:.0f} min left" if left > 90 else f", about {left:.0f} s left"
    return f"{done} of {count}{rest}"


def _each(
    step: Step, cells: list[Cell], directory: Path, root: str | Path | None, pool: ProcessPoolExecutor | None
) -> Iterator[str]:
    """The step's line for each cell, as they finish."""
    if pool is None:
        yield from (step(cell, directory, root) for cell in cells)
        return
    waiting = [pool.submit(step, cell, directory, root) for cell in cells]
    yield from (done.result() for done in as_completed(waiting))


@contextmanager
def _pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Workers that end with the block: at once where it is left by an interrupt or an error, their cells begun."""
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_prepare, initargs=(jobs,))
    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, _interrupt) if main else None
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        workers = active_children()
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:  # a training writes a checkpoint at the end of its epoch
            worker.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
            worker.kill()
        raise
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def _prepare(jobs: int) -> None:
    """What the command does when it starts, in a process that is one of several."""
    recycle_large_buffers()
    threads.adapt(jobs)


def _teach(cell: Cell, directory: Path, root: str | Path | None) -> str:
    teachers = [_arms(one.recipe(), directory, root).teacher for one in cell.by_split()]
    figures = [value for teacher in teachers if teacher is not None for value in teacher.validation]
    return f"{cell.task}: teacher: validation {_mean(figures):.4f}" if figures else ""


def _baseline(cell: Cell, directory: Path, root: str | Path | None) -> str:
    if not cell.by_split()[0].recipe().baseline:
        return ""
    best = _chosen(_search(cell, "baseline", directory, root))
    figures = []
    for one in cell.by_split():
        baseline = _arms(one.recipe(baseline=best["trial"]), directory, root).baseline
        assert baseline is not None
        figures += baseline.validation
    return f"{cell.task}: undistilled student: validation {_mean(figures):.4f} with {best['trial']}"


def _finish(cell: Cell, directory: Path, root: str | Path | None) -> str:
    arms = {"student": _search(cell, "student", directory, root)}
    if cell.by_split()[0].recipe().baseline:
        arms["baseline"] = _search(cell, "baseline", directory, root)
    best = {arm: _chosen(trials) for arm, trials in arms.items()}
    found = []
    for one in cell.by_split():
        recipe = one.recipe(best["student"]["trial"], best["baseline"]["trial"] if "baseline" in best else {})
        place = directory / "cells" / cell.name
        place = place / f"split-{recipe.task['split']}" if cell.splits else place
        found.append(run_recipe(recipe, place, resume=True, root=root, store=directory / "parts"))
    whole = found[0] if cell.splits is None else over_splits(found)
    whole["task"] = cell.task
    whole["tuned"] = {
        arm: {"chosen": best[arm]["trial"], "seeds": cell.trial_seeds, "trials": trials} for arm, trials in arms.items()
    }
    atomic_write_json(directory / "results" / f"{cell.name}.json", whole)
    difference = whole["comparison"].get("mean", {}).get("summary", "no baseline")
    return f"{cell.name}: {_mean(whole['student']['test']['mean']):.4f}, {difference}"


def _arms(recipe: Recipe, directory: Path, root: str | Path | None) -> Arms:
    return Arms(recipe, directory, resume=True, root=root, store=directory / "parts")


def _search(cell: Cell, arm: str, directory: Path, root: str | Path | None) -> list[dict[str, Any]]:
    """Validation figures of an arm's trials, each kept in a file of its own."""
    trials = cell.trials if arm == "student" else cell.baseline_trials
    if len(trials) == 1:
        return [{"trial": dict(trials[0]), "validation": None}]
    rows = []
    for trial in trials:
        parts = [_trial(one, arm, trial, directory, root) for one in cell.by_split()]
        figures = {key: [part[key] for part in parts] for key in ("validation", "cpu")}
        rows.append({"trial": dict(trial), "validation": _mean(figures["validation"]), "cpu": sum(figures["cpu"])})
    return rows


def _trial(cell: Cell, arm: str, trial: dict[str, Any], directory: Path, root: str | Path | None) -> dict[str, Any]:
    recipe = cell.recipe(trial) if arm == "student" else cell.recipe(baseline=trial)
    path = directory / "trials" / f"{arm}-{digest(_asked(recipe, arm), cell.trial_seeds)}.json"
    if not path.is_file():
        seeds = [TRIAL_SEEDS + i for i in range(cell.trial_seeds)]
        run = _arms(recipe, directory, root).trial(arm, seeds)
        row = {"trial": dict(trial), "validation": _mean(run.validation), "cpu": run.result["cost"]["cpu_seconds"]}
        atomic_write_json(path, row)
    kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return kept


def _chosen(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """The highest validation figure; of equals the first."""
    return max(trials, key=lambda row: row["validation"] if row["validation"] is not None else 0.0)


def _asked(recipe: Recipe, arm: str) -> dict[str, Any]:
    resolved = recipe.resolved()
    keys: tuple[str, ...] = ("task", "peers", "baseline_student", "baseline_training")
    if arm == "student":
        keys = ("task", "peers", "student", "training", "method", "teacher")
        keys += ("start",) if "start" in resolved else ()
    return {key: resolved.get(key) for key in keys}


def _teacher_key(cell: Cell) -> Any:
    recipe = cell.by_split()[0].recipe()
    task, teacher = recipe.task, recipe.teacher
    if teacher is not None and teacher.task == "full":  # one for all that is removed
        task = {**task, **dict.fromkeys(REMOVALS)}
    return [task, recipe.resolved().get("teacher"), cell.splits]


def _baseline_key(cell: Cell) -> Any:
    return [
        _asked(cell.by_split()[0].recipe(), "baseline"),
        cell.splits,
        [dict(trial) for trial in cell.baseline_trials],
    ]


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
