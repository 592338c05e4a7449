"""The two verbs: train a network, distil into a network. Both are one loop with different terms."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from graphstill import allocator, threads
from graphstill.data import Task
from graphstill.engine import doubts, memory, terms
from graphstill.engine.asked import check_kind, check_runs, fitted_to, models_of, name_of
from graphstill.engine.experiment import Experiment
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
from graphstill.engine.outcome import result_of
from graphstill.engine.plain import plain
from graphstill.engine.progress import Progress, chosen
from graphstill.engine.run import Run
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

    >>> run = gs.train(gs.models.GCN(hidden=8), task, seeds=3)
    >>> run.test["accuracy"].n
    3
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

    >>> teacher = gs.train(gs.models.GCN(hidden=64), task)
    >>> run = gs.distill(gs.models.GCN(hidden=8), task, teacher=teacher, method=gs.KD(temperature=4.0), seeds=3)
    >>> run.test["accuracy"].n
    3
    """
    models = models_of(model, peers)
    run_seeds = check_seeds(seeds)
    training = training if training is not None else Training.of(models[0].defaults)
    check_runs(training, len(run_seeds))
    check_kind(models, task)
    models = fitted_to(models, task)
    refuse_known_targets(models, method, training)
    factors = factors_of(guard)
    check_guard(factors, choices, models, method)
    folder = None if directory is None else Path(directory)
    also: dict[str, Any] = {"guard": list(factors)} if factors else {}
    whole = Experiment(
        name=name or name_of(models, method, task),
        task=task,
        models=tuple(models),
        method=method,
        training=training,
        seeds=tuple(run_seeds),
        teacher=teacher,
        teacher_graph=teacher_graph,
        start=None if start is None else read_start(start, task),
        directory=folder,
        resume=resume,
        open_test=open_test,
        also=tuple((also | ({"choices": choices} if choices > 1 else {})).items()),
    )
    if not open_test and (factors or choices > 1):
        raise ConfigError(
            "open_test=False with a guard or choices: a search tries one setting at a time, leave them out"
        )
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ConfigError(f"directory={str(directory)!r} is a file: give a folder, or a path where none is yet")
    if (finished := finished_run(folder, resume, task, models, whole.recipe)) is not None:
        return finished
    memory.refuse_too_large(models, task, len(run_seeds), known_labels(models, task))
    watch = chosen(progress, whole.name)
    with memory.told(), contextlib.nullcontext() if folder is None else Lock(folder / "lock"):
        if not factors and choices == 1:
            return trained(replace(whole, progress=watch))
        open_candidates(folder, resume)
        kind, values = ("guard", factors) if factors else ("choices", tuple(range(choices)))
        candidates = [_candidate(whole, kind, value) for value in values]
        return run_candidates(kind, whole.name, candidates, task, plain(whole.recipe), folder, watch)


def _candidate(whole: Experiment, kind: str, value: float) -> Candidate:
    """One that validation may choose: a factor on the distillation, or the number of a training with other seeds."""
    part = f"factor-{value:g}" if kind == "guard" else f"training-{value:g}"
    own = replace(whole, name=f"{whole.name}/{part}", also=(), open_test=False)
    if kind == "choices":
        own = replace(own, seeds=tuple(seed + int(value) * APART for seed in whole.seeds))
    elif value == 0:
        own = replace(own, method=METHODS["independent"](), teacher=None, teacher_graph=None)
    else:
        own = replace(own, share=value)

    def train(place: Path | None, told: Progress | None) -> Run:
        here = replace(own, directory=place, progress=told)
        done = finished_run(place, here.resume, here.task, list(here.models), here.recipe)
        return done or trained(here)

    return Candidate(value, part, train)


def trained(experiment: Experiment) -> Run:
    """The run of one experiment."""
    e = experiment
    started, recipe, task, folder = time.perf_counter(), e.recipe, e.task, e.directory
    models, runs = list(e.models), list(e.seeds)
    group = Group(
        models,
        task.in_features,
        task.num_outputs,
        runs,
        e.separate,
        task.y.device,
        e.training.execution,
        known_labels(models, task),
        e.training.lower,
    )
    batch = task.training_batches(0)[0]
    largest = max(block.cohort.largest_buffer(batch.graph) for block in group.blocks)
    allocator.expect_buffers(largest)
    threads.suit(largest and max(largest, batch.x.nbytes))  # before the first product: a sum may depend on it
    known = knowledge_of(e.teacher, task, e.method, len(runs), e.teacher_graph)
    started_from = None if e.start is None else warm_start(group, e.start)
    active = terms.build(e.method, group, task, batch, known, e.training, runs, models[0].name)
    identity = recipe | {"data_hash": task.hash, "teacher": None if known is None else known.source}
    loop = Loop(e, group, active, known, plain(identity))
    if folder is not None:
        _open_folder(folder, loop, e.resume)
    before = dict(loop.seconds)
    loop.run()
    taught, odd = ({}, []) if known is None else judged(known, e.teacher, task)
    odd += doubts.of_students(
        task, loop.selection.metric.tolist(), loop.selection.epoch.tolist(), loop.epoch, group.peers
    )
    odd += [doubt for m in {id(m): m for m in models}.values() for doubt in _of_model(m, task)]
    result = result_of(e.name, task, group, loop, e.method, recipe, known, e.open_test) | {
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
    return (
        doubts.of_module(network, "student", task.unused, task.of_edges) if isinstance(network, torch.nn.Module) else []
    )


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
