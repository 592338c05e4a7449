"""Networks that were trained elsewhere, measured as they are: a `Run` of them, without a step of training."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from graphstill.data import METRICS, GraphTask, NodeTask, Task
from graphstill.data.hashing import arrays_digest
from graphstill.engine import doubts
from graphstill.engine.asked import model_config
from graphstill.engine.group import check_seeds
from graphstill.engine.items import check_items
from graphstill.engine.knowledge import Teacher
from graphstill.engine.plain import plain
from graphstill.engine.run import GIVEN, Run
from graphstill.environment import environment
from graphstill.errors import ConfigError
from graphstill.nn import Cohort, KnownLabels, Model, wrap
from graphstill.nn.member import Member

Network = nn.Module | Teacher | Sequence[nn.Module]
SELECTED_BY = "validation or otherwise, by whoever trained it"


@torch.no_grad()
def evaluate(
    network: Network,
    task: Task,
    *,
    seeds: Sequence[int] | None = None,
    name: str | None = None,
    open_test: bool = True,
) -> Run:
    """Measure a trained network as it is, on the protocol that `train` and `distill` are measured by.

    Args:
        network: a trained module of any kind (see `models.foreign` for how it is called), a `Teacher`, or several
            modules of one kind, one for each seed. Copies are kept; the module is neither trained nor changed.
        task: the nodes that it was trained for. Validation nodes are predicted on the graph that training sees, test
            nodes on the test graph: of an inductive task these differ.
        seeds: which seeds the modules are of, to pair them with other runs; 0, 1, ... by default.
        name: of the run, in reports.
        open_test: False leaves the test labels sealed. They are opened once a call, which the task records.

    Returns:
        A run with validation and test figures and the weights, to be compared, saved, exported, benched, or used as a
        teacher. Whether its training kept away from validation and test nodes, it cannot know: the result says so.

    Raises:
        ConfigError: not a module, modules that cannot be called, or one that gives other shapes than the task has.
        DataError: features that do not fit the network.

    >>> given = gs.evaluate(network, task)
    >>> given.test["accuracy"].n
    1
    """
    started = time.perf_counter(), time.process_time()
    if not isinstance(task, NodeTask | GraphTask):
        what = f"task {task.name!r} of {task.kind}s" if isinstance(task, Task) else f"a {type(task).__name__}"
        raise ConfigError(f"evaluate on {what}: give a task of nodes, which the network was trained for")
    cohort = _cohort(network, task).to(task.y.device)
    numbers = list(range(cohort.members)) if seeds is None else check_seeds(seeds)
    if len(numbers) != cohort.members:
        raise ConfigError(f"{len(numbers)} seeds for {cohort.members} networks in evaluate: give one for each")
    states = [cohort.member_state(i) for i in range(cohort.members)]
    weights = arrays_digest(*(state[key] for state in states for key in sorted(state))).hex()
    assert isinstance(cohort.spec, Model)
    models = [model_config(cohort.spec)]
    name = name or f"{task.name}-{models[0].get('class', models[0]['name'])}"
    batch = task.validation_batch()
    logits = cohort(batch.x, batch.graph).logits
    check_items(logits, batch, cohort.spec)
    validation = METRICS[task.metric](logits[:, batch.val_rows], batch.y[batch.val_rows]).tolist()
    odd = doubts.of_students(task, validation, [0] * cohort.members, 0, 1) + _doubts(network, logits, task)
    run_id = f"{name}-{uuid.uuid4().hex[:8]}"
    test = _test(cohort, task, run_id) if open_test else None
    result: dict[str, Any] = {
        "name": name,
        "kind": GIVEN,
        "recipe": plain({"models": models, "seeds": numbers, "weights": weights}),
        "models": plain(models),
        "effective_loss": "not known: weights as given",
        "protocol": task.protocol() | {"selected_by": SELECTED_BY, "teacher": None},
        "seeds": numbers,
        "peers": 1,
        "metric": task.metric,
        "validation": validation,
        "best_epoch": [0] * cohort.members,
        "test": test,
        "openings": [record for record in task.test.openings if record["run"] == run_id],
        "inputs": task.in_features,
        "outputs": task.num_outputs,
        "parameters": sum(parameter.numel() for parameter in cohort.member(0).parameters()),
        "environment": environment(),
        "cost": {
            "epochs": 0,
            "wall_seconds": round(time.perf_counter() - started[0], 4),
            "cpu_seconds": round(time.process_time() - started[1], 4),
        },
        "data_hash": task.hash,
        "history": {"every": 1, "validation": []},
        "start": None,
        "teacher": None,
        "warnings": doubts.announce(odd),
    }
    return Run(result, [cohort])


def _cohort(network: Network, task: NodeTask | GraphTask) -> Cohort:
    """Copies of the modules, side by side; a member of the zoo is one of a zoo's cohort again."""
    taps = network.taps if isinstance(network, Teacher) else ()
    given = network.module if isinstance(network, Teacher) else network
    modules = [given] if isinstance(given, nn.Module) else given
    if isinstance(modules, str) or not isinstance(modules, Sequence) or not modules:
        raise ConfigError(f"network is a {type(network).__name__} in evaluate: {_wanted(network)}")
    odd = next((module for module in modules if not isinstance(module, nn.Module)), None)
    if odd is not None:
        raise ConfigError(f"a {type(odd).__name__} is among the networks in evaluate: {_wanted(odd)}")
    if isinstance(modules[0], Member) and not taps:
        return _zoo_cohort(modules, task)
    return wrap(list(modules), task.in_features, task.num_outputs, taps)


def _doubts(network: Network, logits: torch.Tensor, task: NodeTask | GraphTask) -> list[doubts.Doubt]:
    """What is odd about the network itself."""
    module = network.module if isinstance(network, Teacher) else network
    found = doubts.of_module(module, "network", task.unused, task.of_edges) if isinstance(module, nn.Module) else []
    if doubts.are_probabilities(logits, task.multi_label):
        text = (
            "the network's outputs are probabilities, but are taken for logits: its predictions are right, but what is "
            "made of it takes them through a softmax or sigmoid once more; give a network without that last step"
        )
        found.append(doubts.Doubt("probabilities", text))
    return found


def _wanted(given: object) -> str:
    if isinstance(given, Run):
        return "a run has its figures already, run.validation and run.test; its networks are run.member(i)"
    return "give a trained torch.nn.Module, a Teacher, or a list of modules"


def _zoo_cohort(modules: Sequence[nn.Module], task: NodeTask | GraphTask) -> Cohort:
    first = modules[0]
    assert isinstance(first, Member)
    sizes = (first.inputs, first.outputs)
    if sizes != (task.in_features, task.num_outputs):
        raise ConfigError(
            f"a network of {sizes[0]} features and {sizes[1]} outputs in evaluate, but task {task.name!r} has "
            f"{task.in_features} and {task.num_outputs}: give the task that it was trained on"
        )
    if not all(isinstance(module, Member) and module.spec == first.spec for module in modules):
        raise ConfigError(f"networks of different kinds beside {first.spec} in evaluate: evaluate each kind by itself")
    assert isinstance(first.spec, Model)
    cohort = first.spec.build(*sizes, [0] * len(modules), KnownLabels.none(task.num_nodes))
    for i, module in enumerate(modules):
        cohort.load_member_state(i, module.state_dict())
    return cohort


def _test(cohort: Cohort, task: NodeTask | GraphTask, run_id: str) -> dict[str, Any]:
    opened = task.test.open(run_id, SELECTED_BY)
    scores = opened.score(cohort(opened.batch.x, opened.batch.graph).logits).tolist()
    return {"members": scores, "mean": scores, "best_val": scores, "ensemble": None}
