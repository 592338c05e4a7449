"""The two verbs: train a network, distil into a network. Both are one loop with different terms."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from graphstill import allocator, threads
from graphstill.data import Task
from graphstill.engine import doubts, memory, terms
from graphstill.engine.asked import check_kind, check_runs, model_config, models_of, name_of, updates_of
from graphstill.engine.finished import finished_run
from graphstill.engine.group import Group, check_seeds
from graphstill.engine.guard import (
    APART,
    Candidate,
    check_guard,
    factors_of,
    open_candidates,
    refuse_other,
    run_candidates,
)
from graphstill.engine.known import known_labels, refuse_known_targets
from graphstill.engine.loop import Loop
from graphstill.engine.outcome import plain, result_of
from graphstill.engine.progress import Progress, chosen
from graphstill.engine.run import Run
from graphstill.engine.start import identity as start_identity
from graphstill.engine.start import read_start, warm_start
from graphstill.engine.taught import judged
from graphstill.engine.teaching import AnyTeacher, TeacherGraph, knowledge_of
from graphstill.engine.training import Training
from graphstill.errors import ConfigError
from graphstill.files import remove_leftovers
from graphstill.lock import Lock
from graphstill.method import Composite, Method
from graphstill.methods import METHODS
from graphstill.nn import ForeignModel, Model
from graphstill.typed import typed


def train(
    model: Model | torch.nn.Module,
    task: Task,
    *,
    seeds: int | Sequence[int] = 1,
    training: Training | None = None,
    start: Run | str | Path | None = None,
    name: str | None = None,
    directory: str | Path | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
    choices: int = 1,
) -> Run:
    """Train a network on labels alone, once for each seed; all seeds side by side.

    See `distill` for the arguments.
    """
    return distill(
        model,
        task,
        method=METHODS["independent"](),
        seeds=seeds,
        training=training,
        start=start,
        name=name,
        directory=directory,
        resume=resume,
        progress=progress,
        choices=choices,
    )


@typed
def distill(
    model: Model | torch.nn.Module | Sequence[Model],
    task: Task,
    *,
    method: Method | Composite,
    teacher: AnyTeacher = None,
    teacher_graph: TeacherGraph | None = None,
    peers: int | None = None,
    seeds: int | Sequence[int] = 1,
    training: Training | None = None,
    start: Run | str | Path | None = None,
    name: str | None = None,
    directory: str | Path | None = None,
    resume: bool = False,
    progress: Progress | bool | None = None,
    open_test: bool = True,
    guard: bool | Sequence[float] = False,
    choices: int = 1,
) -> Run:
    """Train students by a method, once for each seed; all seeds side by side.

    Args:
        model: the student; a sequence of models makes a group of peers of different architecture.
        task: the data, nodes or images. Its test labels are opened once, after every member's epoch is chosen by
            validation.
        method: a method or a sum of methods, e.g. ``KD(temperature=4) + 0.1 * LSP()``.
        teacher: for methods that need one: a `Run` or its directory (member i teaches seed i where their numbers agree,
            else the member that validation picks teaches all), an `Ensemble` of a run's members, a trained module, or
            logits [nodes, outputs]. A run must be of this very task, or of `task.origin`, the whole one that it was
            made from: a privileged teacher. Of images it must be a run or its ensemble.
        teacher_graph: where the task has an origin, the graph that a run's or a module's outputs are computed on: the
            origin's ("full"), or the task's ("own"), which shows what a frozen teacher is worth when the graph has
            changed. None is the one that a run was trained on, and the task's for a module.
        peers: size of the group for online methods; 1 by default.
        seeds: how many seeds (0, 1, ...), or the seeds. A seed gives each member its weights and noise, independent of
            how many members there are, so that runs of the same seeds are paired.
        training: settings; by default the model's recommended ones.
        start: a run, or its directory, whose layers the students begin with where names and shapes fit, for instance of
            another task; the others begin fresh. Paired like a teacher's members.
        directory: where to write checkpoints, metrics and the result; nothing is written without it.
        resume: continue from the checkpoint in `directory`, where there is one, exactly.
        progress: called after each epoch with (epoch, epochs, figures). None shows a line where somebody watches (a
            terminal, a notebook; GRAPHSTILL_PROGRESS=0 does not), True always, False never.
        open_test: False leaves the test labels sealed, for the trials of a search: the run then has no test figures.
        guard: True also trains the students with a tenth of the distillation and with none, and validation chooses
            which of the three is the run; a list of factors from 0 to 1 instead of (0, 0.1, 1). Factor f takes f of the
            method's loss and 1 - f of the plain supervised one; 0 is the undistilled student itself. `result["guard"]`
            tells what was chosen, each one's validation figures and cost. Weights, folders: of the chosen in
            `directory`, of each in `directory/factor-F`.
        choices: how many trainings, with other initial weights and noise, validation chooses from by the guard's rule:
            what makes an undistilled student the equal of a guarded one.

    Raises:
        ConfigError, DataError, MethodError, CheckpointError: what is wrong, where, and what to do.
    """
    models = models_of(model, peers)
    run_seeds = check_seeds(seeds)
    training = training if training is not None else Training.of(models[0].defaults)
    check_runs(training, len(run_seeds))
    check_kind(models, task)
    refuse_known_targets(models, method, training)
    updates = training.updates or updates_of(method)
    name = name or name_of(models, method, task)
    factors = factors_of(guard)
    check_guard(factors, choices, models, method)
    recipe: dict[str, Any] = {
        "models": [model_config(m) for m in models],
        "method": method.config(),
        "training": training.config() | {"updates": updates},
        "seeds": run_seeds,
    }
    if teacher_graph is not None:
        recipe["teacher_graph"] = teacher_graph
    if (walks := task.protocol().get("walks")) is not None:
        recipe["walks"] = walks  # not in the task's hash: the data are the same
    if task.metric == "roc_auc":
        recipe["metric"] = task.metric  # the same
    source = None if start is None else read_start(start, task)
    if source is not None:
        recipe["start"] = plain(start_identity(source))
    if factors:
        recipe["guard"] = list(factors)
    if choices > 1:
        recipe["choices"] = choices
    if not open_test and (factors or choices > 1):
        raise ConfigError(
            "open_test=False with a guard or choices: a search tries one setting at a time, leave them out"
        )
    folder = None if directory is None else Path(directory)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ConfigError(f"directory={str(directory)!r} is a file: give a folder, or a path where none is yet")
    if (finished := finished_run(folder, resume, task, models, recipe)) is not None:
        return finished
    memory.refuse_too_large(models, task, len(run_seeds), known_labels(models, task))
    watch = chosen(progress, name)
    with memory.told(), contextlib.nullcontext() if folder is None else Lock(folder / "lock"):
        if not factors and choices == 1:
            return _train(
                name, task, models, method, teacher, training, recipe, source, folder, resume, watch, open_test
            )
        open_candidates(folder, resume)

        def one(value: float) -> Candidate:
            """One that validation may choose: a factor, or the number of a training with seeds of its own."""
            alone = METHODS["independent"]()
            own = {k: v for k, v in recipe.items() if k not in ("guard", "choices")}
            how: tuple[Method | Composite, AnyTeacher, float] = (method, teacher, value if factors else 1.0)
            if factors and value == 0:
                own = {k: v for k, v in own.items() if k != "teacher_graph"}
                turns = training.updates or updates_of(alone)
                own |= {"method": alone.config(), "training": training.config() | {"updates": turns}}
                how = (alone, None, 1.0)
            elif factors and value != 1:
                own["share"] = value
            if not factors:
                own["seeds"] = [seed + int(value) * APART for seed in run_seeds]
            part = f"factor-{value:g}" if factors else f"training-{value:g}"

            def train(place: Path | None, told: Progress | None) -> Run:
                done = finished_run(place, resume, task, models, own)
                return done or _train(
                    f"{name}/{part}", task, models, *how[:2], training, own, source, place, resume, told, False, how[2]
                )

            return Candidate(value, part, train)

        kind, values = ("guard", factors) if factors else ("choices", tuple(range(choices)))
        return run_candidates(kind, name, [one(v) for v in values], task, plain(recipe), folder, watch)


def _train(
    name: str,
    task: Task,
    models: list[Model],
    method: Method | Composite,
    teacher: AnyTeacher,
    training: Training,
    recipe: dict[str, Any],
    source: Run | None,
    folder: Path | None,
    resume: bool,
    progress: Progress | None,
    open_test: bool,
    share: float = 1.0,
) -> Run:
    started, run_seeds = time.perf_counter(), recipe["seeds"]
    separate = len(models) > 1 and recipe["training"]["updates"] == "alternating"
    group = Group(
        models,
        task.in_features,
        task.num_outputs,
        run_seeds,
        separate,
        task.y.device,
        training.execution,
        known_labels(models, task),
        training.lower,
    )
    batch = task.training_batches(0)[0]
    largest = max(block.cohort.largest_buffer(batch.graph) for block in group.blocks)
    allocator.expect_buffers(largest)
    threads.suit(largest and max(largest, batch.x.nbytes))  # before the first product: a sum may depend on it
    known = knowledge_of(teacher, task, method, len(run_seeds), recipe.get("teacher_graph"))
    started_from = None if source is None else warm_start(group, source)
    active = terms.build(method, group, task, batch, known, training, run_seeds, models[0].name)
    identity = recipe | {"data_hash": task.hash, "teacher": None if known is None else known.source}
    loop = Loop(task, group, active, known, training, plain(identity), folder, progress, share)
    if folder is not None:
        _open_folder(folder, loop, resume)
    before = dict(loop.seconds)
    loop.run()
    taught, odd = ({}, []) if known is None else judged(known, teacher, task)
    odd += doubts.of_students(
        task, loop.selection.metric.tolist(), loop.selection.epoch.tolist(), loop.epoch, group.peers
    )
    odd += [doubt for m in {id(m): m for m in models}.values() for doubt in _of_model(m, task)]
    result = result_of(name, task, group, loop, method, recipe, known, open_test) | {
        "start": started_from,
        "teacher": taught or None,
        "warnings": doubts.announce(odd),
    }
    setup = time.perf_counter() - started - (loop.seconds["wall"] - before["wall"])
    result["cost"]["setup_and_test_seconds"] = round(setup, 4)
    run = Run(result, [b.cohort for b in group.blocks])
    if folder is not None:
        run.save(folder)
        (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    return run


def _of_model(model: Model, task: Task) -> list[doubts.Doubt]:
    network = model.factory if isinstance(model, ForeignModel) else None
    return doubts.of_module(network, "student", task.unused) if isinstance(network, torch.nn.Module) else []


def _open_folder(folder: Path, loop: Loop, resume: bool) -> None:
    """Make the run's folder, or take up the checkpoint in it."""
    held = [n for n in ("checkpoint.safetensors", "result.json", "metrics.jsonl") if (folder / n).exists()]
    refuse_other(folder, candidates=False)
    if held and not resume:
        raise ConfigError(f"{folder} holds a run already ({', '.join(held)}): use another directory, or resume it")
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    if resume and (folder / "checkpoint.safetensors").is_file():
        loop.load(folder)
    else:
        (folder / "metrics.jsonl").write_text("")
