"""Search settings of a method on validation, with the test labels sealed, and the same number for the plain group.

    python benchmarks/search.py SPACE DATASET [--trials N] [--seeds N] [--only FILE]

A space (below) names a student, the training options that every arm may tune, and the method's own options. Arms
("independent" and the method) get the same number of trials, drawn at random from their spaces by a fixed seed. Trials
are appended to benchmarks/results/search/SPACE-DATASET.jsonl, and trials that are there already are not run again.
Search seeds are 1000 and up; the final comparison uses others.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

import torch

from graphstill import datasets
from graphstill.allocator import recycle_large_buffers
from graphstill.engine import Training, distill
from graphstill.methods import make_method
from graphstill.nn import make_model

RESULTS = Path(__file__).parent / "results" / "search"

SHARED = {
    "model.dropout": [0.3, 0.5, 0.7],
    "model.drop_edge": [0.0, 0.2, 0.4],
    "training.lr": [0.005, 0.01, 0.02],
    "training.weight_decay": [5e-4, 1e-3, 2e-3],
}
SPACES: dict[str, dict[str, Any]] = {
    "oad": {
        "arm": "oad",
        "model": {"name": "gcn", "hidden": 16},
        "training": {"epochs": 200},
        "shared": SHARED,
        "method": {
            "method.temperature": [0.5, 1.0, 2.0, 3.0],
            "method.global_weight": [1.0, 3.0, 10.0, 30.0],
            "method.local_weight": [0.01, 0.03, 0.1, 0.3],
            "method.critic_lr": [1e-3, 1e-2],
            "method.nodes": ["all", "all", "train"],
            "training.warmup": [0, 50],
        },
    },
    # A second look around what led the first on Cora and CiteSeer.
    "oad-refined": {
        "arm": "oad",
        "model": {"name": "gcn", "hidden": 16},
        "training": {"epochs": 200},
        "shared": {
            "model.dropout": [0.3, 0.5, 0.7],
            "model.drop_edge": [0.2, 0.4],
            "training.lr": [0.02, 0.03],
            "training.weight_decay": [5e-4, 1e-3, 2e-3],
        },
        "method": {
            "method.temperature": [0.3, 0.5, 0.7, 1.0],
            "method.global_weight": [1.0, 3.0, 10.0],
            "method.local_weight": [0.01, 0.03, 0.1],
            "method.critic_lr": [1e-3],
            "training.warmup": [20, 50],
        },
    },
    # The settings that hold on both, and what each arm makes of them with its own dropout and learning rate.
    "oad-final": {
        "arm": "oad",
        "model": {"name": "gcn", "hidden": 16},
        "training": {"epochs": 200, "weight_decay": 1e-3, "warmup": 50},
        "shared": {
            "model.dropout": [0.5, 0.7],
            "model.drop_edge": [0.0, 0.2],
            "training.lr": [0.02, 0.03],
        },
        "method": {
            "method.temperature": [0.5],
            "method.global_weight": [1.0],
            "method.local_weight": [0.01],
        },
    },
    "alignahead++": {
        "arm": "alignahead++",
        "model": {"name": "gcn", "hidden": 16},
        "training": {"epochs": 200},
        "shared": SHARED | {"model.layers": [3], "model.dropout": [0.1, 0.3, 0.5], "model.drop_edge": [0.0, 0.2]},
        "method": {
            "method.structure": [0.1, 0.3, 1.0],
            "method.feature": [0.1, 0.3, 1.0, 3.0],
            "method.auxiliary": [0.3, 1.0, 3.0],
            "method.kernel": ["rbf", "rbf", "negative_euclidean", "cosine"],
            # Taking turns costs four times as much a trial; whether it helps is compared after the search.
            "training.updates": ["simultaneous"],
        },
    },
}


def draw(name: str, space: dict[str, Any], arm: str, trials: int) -> list[dict[str, Any]]:
    """The first `trials` distinct settings of an arm: the same list however often it is asked for."""
    options = space["shared"] | (space["method"] if arm != "independent" else {})
    chooser, drawn = (
        random.Random(f"graphstill {arm if name == space['arm'] else f'{name} {arm}'}"),
        list[dict[str, Any]](),
    )
    while len(drawn) < trials:
        trial = {key: chooser.choice(values) for key, values in options.items()}
        if trial not in drawn:
            drawn.append(trial)
    return drawn


def run_trial(space: dict[str, Any], arm: str, trial: dict[str, Any], task: Any, seeds: int) -> dict[str, Any]:
    """Validation figures of one setting."""
    sections: dict[str, dict[str, Any]] = {
        "model": dict(space["model"]),
        "training": dict(space["training"]),
        "method": {"name": arm},
    }
    for key, value in trial.items():
        section, option = key.split(".", 1)
        sections[section][option] = value
    model = make_model(**sections["model"])
    training = Training.of(model.defaults, **sections["training"])
    started = time.process_time()
    run = distill(
        model,
        task,
        method=make_method(sections["method"]),
        peers=4,
        seeds=[1000 + i for i in range(seeds)],
        training=training,
        open_test=False,
    )
    validation = run.validation
    return {
        "arm": arm,
        "dataset": task.name,
        "trial": trial,
        "seeds": seeds,
        "validation": sum(validation) / len(validation),
        "cpu_seconds": round(time.process_time() - started, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("space", choices=SPACES)
    parser.add_argument("dataset")
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--like", help="run only the trials whose settings lead the average over these datasets (a,b)")
    parser.add_argument("--best", type=int, default=4, help="how many of them, for each arm")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    recycle_large_buffers()
    space, task = SPACES[arguments.space], datasets.load(arguments.dataset)
    path = RESULTS / f"{arguments.space}-{arguments.dataset}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    for arm in ("independent", space["arm"]):
        trials = draw(arguments.space, space, arm, arguments.trials)
        if arguments.like:
            trials = leaders(arguments.space, arguments.like.split(","), arm)[: arguments.best]
        for number, trial in enumerate(trials):
            if any(d["arm"] == arm and d["trial"] == trial and d["seeds"] == arguments.seeds for d in done):
                continue
            row = run_trial(space, arm, trial, task, arguments.seeds)
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(
                f"{arm} {number + 1}/{len(trials)} {row['validation']:.4f} {row['cpu_seconds']} s {trial}", flush=True
            )


def leaders(space: str, names: list[str], arm: str) -> list[dict[str, Any]]:
    """Trials of an arm by their mean validation figure over datasets, best first."""
    rows = [json.loads(line) for name in names for line in (RESULTS / f"{space}-{name}.jsonl").read_text().splitlines()]
    scores: dict[str, list[float]] = {}
    for row in rows:
        if row["arm"] == arm:
            scores.setdefault(json.dumps(row["trial"]), []).append(row["validation"])
    full = {trial: values for trial, values in scores.items() if len(values) == len(names)}
    return [json.loads(t) for t in sorted(full, key=lambda t: -sum(full[t]))]


if __name__ == "__main__":
    main()
