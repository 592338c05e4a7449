"""What `distill` is asked for: one list of models that fit the task, and how it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

from graphstill.data import Task
from graphstill.engine.group import MOST_SEEDS
from graphstill.engine.training import Training
from graphstill.errors import ConfigError
from graphstill.method import Composite, Method
from graphstill.nn import ForeignModel, Model, foreign
from graphstill.plain_yaml import shown


def models_of(model: Model | torch.nn.Module | Sequence[Model], peers: int | None) -> list[Model]:
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
    for model in models:
        reads_out = getattr(model, "readout", None) is not None
        if task.item == "graph" and not reads_out and not isinstance(model, ForeignModel):
            known: set[str] = (
                {field.name for field in dataclasses.fields(model)} if dataclasses.is_dataclass(model) else set()
            )
            way = "give it a readout, such as readout='mean'"
            raise ConfigError(
                f"model {model.name!r} answers for each node, but the items of task {task.name!r} are whole graphs: "
                + (way if "readout" in known else "choose one that has a readout, such as gin, gcn or gine")
            )
        if task.item == "node" and reads_out:
            raise ConfigError(
                f"model {model.name!r} has a readout and answers for whole graphs, but the items of task {task.name!r} "
                "are nodes: leave readout out"
            )


def fitted_to(models: Sequence[Model], task: Task) -> list[Model]:
    """The models for the features that this task's edges have."""
    if task.item != "graph":
        return list(models)
    data = task.data
    width = 0 if data.graph.edge_attr is None else int(data.graph.edge_attr.shape[1])
    made = {id(model): model.fitted(data.edge_codes, width) for model in models}
    return [made[id(model)] for model in models]


def check_runs(training: Training, runs: int) -> None:
    for key in ("lr", "weight_decay"):
        value = getattr(training, key)
        if isinstance(value, list | tuple) and len(value) != runs:
            raise ConfigError(f"training.{key} has {len(value)} values, but there are {runs} seeds: give one for each")


def updates_of(method: Method | Composite) -> str:
    """Turns as the methods want them; one that wants alternation gets it."""
    return "alternating" if any(t.method.updates == "alternating" for t in method.terms) else "simultaneous"


def model_config(model: Model) -> dict[str, Any]:
    """A model as plain values, as results hold it."""
    if isinstance(model, ForeignModel):
        return {"name": model.name, "class": str(model), "taps": list(model.taps)}
    return {"name": model.name, **model.options()}


def name_of(models: Sequence[Model], method: Method | Composite, task: Task) -> str:
    how = "+".join(t.method.name for t in method.terms)
    group = f"x{len(models)}" if len(models) > 1 else ""
    return f"{task.name}-{models[0].name}{group}-{how}"
