"""Warm starts: students that begin with the layers of a network trained on another task, where these fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphstill.data import Task
from graphstill.data.hashing import arrays_digest
from graphstill.engine.group import Group
from graphstill.engine.run import Run
from graphstill.errors import ConfigError


def read_start(start: Run | str | Path, task: Task) -> Run:
    """The run to start from, after checking that it cannot have seen the task's test nodes.

    Raises:
        CheckpointError: the path holds no finished run.
        DataError: a run on data of the same name and size, but not on this task nor on its `origin`.
    """
    run = start if isinstance(start, Run) else Run.load(start, task.y.device)
    known = run.result["protocol"]
    if (known["dataset"], known["nodes"]) == (task.name, task.num_nodes):
        task.check_teacher(run.result["data_hash"], f"the start {run.name!r} (of the same name and number of nodes)")
    return run


def identity(run: Run) -> dict[str, Any]:
    """What a run that starts from this one depends on, as plain values: of two starts, whether they are the same."""
    states = [cohort.state_dict() for cohort in run.cohorts]
    weights = arrays_digest(*(state[name] for state in states for name in sorted(state))).hex()
    return {"data_hash": run.result["data_hash"], "recipe": run.result["recipe"], "weights": weights}


@torch.no_grad()
def warm_start(group: Group, run: Run) -> dict[str, Any]:
    """Copy into every student the layers of `run` that have the same names and shapes; the others stay as they are.

    A layer travels whole or not at all: a bias does not without its weights. Member i starts from member i of as many,
    each run's peers from the member of as many runs, and else all from the member that validation picked.

    Returns:
        What was copied, as plain values, for the result.

    Raises:
        ConfigError: no layer fits; the message shows names and shapes.
    """
    if run.members == group.members:
        chosen, who = list(range(group.members)), "one for each member"
    elif run.members == group.runs:
        chosen, who = [i // group.peers for i in range(group.members)], "one for each seed"
    else:
        chosen, who = [run.best_member()] * group.members, f"member {run.best_member()}, validation's pick, for all"
    copied: list[str] = []
    fresh: list[str] = []
    for block in group.blocks:
        for place, member in enumerate(block.members.tolist()):
            cohort, there = run.cohort_of(chosen[member])
            found, own = cohort.member_state(there), block.cohort.member_state(place)
            # No known labels, and no filter of a curriculum.
            weights = {k: v for k, v in own.items() if v.is_floating_point() and k != "smoothing"}
            names = fitting(found, weights)
            if not names:
                raise ConfigError(
                    f"no layer of the start {run.name!r} fits {block.cohort.spec}: {_shapes(found)} there, "
                    f"{_shapes(weights)} here; start from the same kind of network with a hidden layer of equal width: "
                    "where features and classes differ, it takes three layers"
                )
            block.cohort.load_member_state(place, own | {name: found[name].to(own[name]) for name in names})
            copied += [name for name in names if name not in copied]
            fresh += [name for name in weights if name not in names and name not in fresh]
        block.changed()
    return {
        "run": run.name,
        "dataset": run.result["protocol"]["dataset"],
        "data_hash": run.result["data_hash"],
        "labels_shuffled": run.result["protocol"].get("labels_shuffled"),
        "members": who,
        "copied": copied,
        "fresh": fresh,
    }


def fitting(found: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """Names of `own` in layers whose tensors are all in `found` in the same shapes."""

    def fits(name: str) -> bool:
        layer = name.rpartition(".")[0]
        whole = [name] if not layer else [other for other in own if other.startswith(f"{layer}.")]
        return all(other in found and found[other].shape == own[other].shape for other in whole)

    return [name for name in own if fits(name)]


def _shapes(state: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {list(tensor.shape)}" for name, tensor in state.items())
