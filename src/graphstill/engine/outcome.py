"""What a finished loop amounts to: figures, protocol, cost and provenance, as plain values."""

from __future__ import annotations

import uuid
from typing import Any

import torch
from torch import Tensor

from graphstill.data import Task
from graphstill.data.sealed import OpenedTest
from graphstill.engine.group import Group
from graphstill.engine.knowledge import Knowledge
from graphstill.engine.live import LiveTeacher
from graphstill.engine.loop import Loop
from graphstill.engine.plain import plain
from graphstill.engine.run import Run
from graphstill.environment import environment, peak_memory_mb
from graphstill.method import Composite, Method, stack_outputs


@torch.no_grad()
def result_of(
    name: str,
    task: Task,
    group: Group,
    loop: Loop,
    method: Method | Composite,
    recipe: dict[str, Any],
    known: Knowledge | LiveTeacher | None,
    open_test: bool,
) -> dict[str, Any]:
    """Everything that a reader needs to judge the figures; opens the test set, once, unless told not to."""
    selected_by = f"validation {task.metric if loop.training.select_by == 'metric' else 'loss'}"
    run_id = f"{name}-{uuid.uuid4().hex[:8]}"
    test = None
    if open_test:
        opened = task.test.open(run_id, selected_by)
        logits = group.outputs(opened.batch).logits
        test = _scored(opened, logits, loop.selection.metric, loop.selection.loss, group.runs, task.multi_label)
    runs, peers, selection = group.runs, group.peers, loop.selection
    history = torch.stack(loop.history).view(-1, runs, peers).mean(2)
    every = max(1, history.shape[0] // 100)
    return {
        "name": name,
        "kind": "train" if all(t.method.name == "independent" for t in method.terms) else "distill",
        "recipe": plain(recipe),
        "models": plain(recipe["models"]),
        "effective_loss": effective_loss(method, task, loop.share),
        "protocol": task.protocol() | {"selected_by": selected_by, "teacher": None if known is None else known.source},
        "seeds": recipe["seeds"],
        "peers": peers,
        "metric": task.metric,
        "validation": selection.metric.tolist(),
        "validation_loss": selection.loss.tolist(),
        "best_epoch": selection.epoch.tolist(),
        "test": test,
        "openings": [o for o in task.test.openings if o["run"] == run_id],
        "inputs": task.in_features,
        "outputs": task.num_outputs,
        "parameters": sum(p.numel() for p in group.blocks[0].cohort.member_parameters(0)),
        "environment": environment(),
        "cost": {
            "epochs": loop.epoch,
            "wall_seconds": round(loop.seconds["wall"], 4),
            "cpu_seconds": round(loop.seconds["cpu"], 4),
            "peak_memory_mb": round(peak_memory_mb(), 1),
        },
        "data_hash": task.hash,
        "history": {"every": every, "validation": [[round(v, 5) for v in row] for row in history[::every].tolist()]},
    }


@torch.no_grad()
def opened(run: Run, task: Task, name: str) -> dict[str, Any]:
    """The result of a run that left the test set sealed, with its test figures and the record of opening by `name`."""
    result = run.result
    run_id, selected_by = f"{name}-{uuid.uuid4().hex[:8]}", result["protocol"]["selected_by"]
    test = task.test.open(run_id, selected_by)
    logits = stack_outputs([cohort(test.batch.x, test.batch.graph) for cohort in run.cohorts]).logits
    chosen = (torch.tensor(result[key], dtype=torch.float64) for key in ("validation", "validation_loss"))
    metric, loss = (values.to(logits.device) for values in chosen)
    return result | {
        "test": _scored(test, logits, metric, loss, len(run.seeds), task.multi_label),
        "openings": [record for record in task.test.openings if record["run"] == run_id],
    }


def _scored(
    opened: OpenedTest, logits: Tensor, metric: Tensor, loss: Tensor, runs: int, multi_label: bool
) -> dict[str, Any]:
    """Every member, the mean member, validation's pick and the ensemble of each run, on the opened test set."""
    scores = opened.score(logits)
    peers = len(scores) // runs
    # Validation's pick: the highest metric, ties by the lower loss.
    rank = metric - 1e-9 * loss.clamp(max=1e6)
    pick = rank.view(runs, peers).argmax(1, keepdim=True)
    grouped = scores.view(runs, peers)
    ensemble = None
    if peers > 1:
        p = logits.sigmoid() if multi_label else logits.softmax(-1)
        p = p.unflatten(0, (runs, peers)).mean(1)
        ensemble = opened.score(torch.logit(p, eps=1e-7) if multi_label else p.log()).tolist()
    return {
        "members": scores.tolist(),
        "mean": grouped.mean(1).tolist(),
        "best_val": grouped.gather(1, pick).squeeze(1).tolist(),
        "ensemble": ensemble,
    }


def effective_loss(method: Method | Composite, task: Task, share: float = 1.0) -> str:
    """The loss of a run, for people."""
    factor = 1.0
    for t in method.terms:
        factor *= t.method.supervision(0.0)
    label = "BCE" if task.multi_label else "CE"
    factor = 1 - share * (1 - factor)
    formula = " + ".join(
        f"{share * t.weight:g} * {t.method.formula()}" for t in method.terms if t.method.name != "independent"
    )
    return f"{factor:g} * {label}(labels)" + (f" + {formula}" if formula else "")
