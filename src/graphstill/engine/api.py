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
from graphstill.engine import checkpoint, doubts, memory, terms
from graphstill.engine.group import MOST_SEEDS, Group, check_seeds
from graphstill.engine.known import known_labels, refuse_known_targets
from graphstill.engine.loop import Loop, Progress
from graphstill.engine.outcome import plain, result_of
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
from graphstill.nn import ForeignModel, Model, foreign
from graphstill.plain_yaml import shown
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
    progress: Progress | None = None,
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
    progress: Progress | None = None,
    open_test: bool = True,
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
        progress: called after each epoch with (epoch, epochs, figures).
        open_test: False leaves the test labels sealed, for the trials of a search: the run then has no test figures.

    Raises:
        ConfigError, DataError, MethodError, CheckpointError: what is wrong, where, and what to do.
    """
    models = _models(model, peers)
    run_seeds = check_seeds(seeds)
    training = training if training is not None else Training.of(models[0].defaults)
    _check_runs(training, len(run_seeds))
    check_kind(models, task)
    refuse_known_targets(models, method, training)
    updates = training.updates or _updates(method)
    name = name or _name(models, method, task)
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
    folder = None if directory is None else Path(directory)
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ConfigError(f"directory={str(directory)!r} is a file: give a folder, or a path where none is yet")
    if folder is not None and resume and (folder / "result.json").is_file():
        finished = Run.load(folder, task.y.device, model=models)
        checkpoint.check_same(
            folder / "result.json",
            recipe | {"data_hash": task.hash},
            finished.result["recipe"] | {"data_hash": finished.result["data_hash"]},
        )
        _tidy(folder)
        return finished
    memory.refuse_too_large(models, task, len(run_seeds), known_labels(models, task))
    with memory.told(), contextlib.nullcontext() if folder is None else Lock(folder / "lock"):
        return _train(
            name, task, models, method, teacher, training, recipe, source, folder, resume, progress, open_test
        )


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
    loop = Loop(task, group, active, known, training, plain(identity), folder, progress)
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


def _models(model: Model | torch.nn.Module | Sequence[Model], peers: int | None) -> list[Model]:
    if isinstance(model, torch.nn.Module):
        model = foreign(model)
    if isinstance(model, Model):
        count = 1 if peers is None else peers
        if not 1 <= count <= MOST_SEEDS:
            raise ConfigError(f"peers is {shown(peers)}: give 1 for a single student, 2 or more for a group")
        return [model] * count
    models = list(model)
    if not models or not all(isinstance(m, Model) for m in models):
        raise ConfigError(
            f"model is {model!r}: give a model such as models.GCN(hidden=16), a module, or a list of models"
        )
    if peers not in (None, len(models)):
        raise ConfigError(f"peers is {peers}, but {len(models)} models are given: leave `peers` out")
    return models


def check_kind(models: Sequence[Model], task: Task) -> None:
    """Raises ConfigError where a model reads graphs and the task has images, or the other way round."""
    odd = next((model for model in models if model.takes != task.kind), None)
    if odd is not None:
        raise ConfigError(
            f"model {odd.name!r} reads {odd.takes}s, but task {task.name!r} is made of {task.kind}s: "
            f"choose one that fits it, see `graphstill list models`"
        )


def _check_runs(training: Training, runs: int) -> None:
    for key in ("lr", "weight_decay"):
        value = getattr(training, key)
        if isinstance(value, list | tuple) and len(value) != runs:
            raise ConfigError(f"training.{key} has {len(value)} values, but there are {runs} seeds: give one for each")


def _updates(method: Method | Composite) -> str:
    """Turns as the methods want them; one that wants alternation gets it."""
    return "alternating" if any(t.method.updates == "alternating" for t in method.terms) else "simultaneous"


def model_config(model: Model) -> dict[str, Any]:
    """A model as plain values, as results hold it."""
    if isinstance(model, ForeignModel):
        return {"name": model.name, "class": str(model), "taps": list(model.taps)}
    return {"name": model.name, **model.options()}


def _name(models: Sequence[Model], method: Method | Composite, task: Task) -> str:
    how = "+".join(t.method.name for t in method.terms)
    group = f"x{len(models)}" if len(models) > 1 else ""
    return f"{task.name}-{models[0].name}{group}-{how}"


def _tidy(folder: Path) -> None:
    """Remove what a process that was killed right after its result has left behind."""
    (folder / "checkpoint.safetensors").unlink(missing_ok=True)
    remove_leftovers(folder)
    Lock(folder / "lock").remove_stale()


def _open_folder(folder: Path, loop: Loop, resume: bool) -> None:
    """Make the run's folder, or take up the checkpoint in it."""
    held = [n for n in ("checkpoint.safetensors", "result.json", "metrics.jsonl") if (folder / n).exists()]
    if held and not resume:
        raise ConfigError(f"{folder} holds a run already ({', '.join(held)}): use another directory, or resume it")
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    if resume and (folder / "checkpoint.safetensors").is_file():
        loop.load(folder)
    else:
        (folder / "metrics.jsonl").write_text("")
