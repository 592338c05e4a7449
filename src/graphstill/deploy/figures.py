"""What is known of the exported member from its run, as plain values for the manifest and the card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from graphstill.deploy.onnx_graph import OPSET
from graphstill.deploy.source import Source
from graphstill.deploy.subject import ENSEMBLE, Subject, description
from graphstill.engine import Run, Summary
from graphstill.environment import environment, version
from graphstill.runtime.manifest import FORMAT
from graphstill.study.statistics import Figure, compare


def about(source: Source, subject: Subject) -> dict[str, Any]:
    """The part of a manifest that every folder has, and that needs no engine."""
    run = source.run
    return {
        "format": FORMAT,
        "graphstill": version("graphstill"),
        "opset": OPSET,
        "name": run.name,
        **description(run, subject),
        "member": subject.members[0] if len(subject.members) == 1 else ENSEMBLE,
        "members": len(subject.members),
        "parameters": sum(p.numel() for module in subject.modules for p in module.parameters()),
        "inputs": subject.inputs,
        "outputs": ["logits"],
        "features": run.result["inputs"],
        "classes": run.result["outputs"],
        "multi_label": subject.multi_label,
        "metric": run.result["metric"],
        "effective_loss": run.result["effective_loss"],
        "protocol": run.result["protocol"],
        "results": results(source, subject.members),
        "data_hash": run.result["data_hash"],
        "int8": None,
        "environment": environment(),
    }


def results(source: Source, members: Sequence[int]) -> dict[str, Any]:
    """Figures of the exported members and of all seeds; ``test`` is None where the test set stayed sealed.

    ``baseline`` is the undistilled student: name, models, figures over its seeds; ``gain`` the paired difference to it,
    for each figure a text with seeds, interval and p. Both are None where none is known: neither given, nor compared by
    a recipe beside the run.
    """
    run, comparison = source.run, source.comparison
    metric, test = run.result["metric"], run.result["test"]
    found: dict[str, Any] = {
        "metric": metric,
        "seeds": [run.seeds[i // run.peers] for i in members],
        "validation": [run.validation[i] for i in members],
        "test": None,
        "all_seeds": None,
        "kind": run.result.get("kind"),
        "baseline": None,
        "gain": None,
        "teacher": run.result.get("teacher"),
        "warnings": [doubt["text"] for doubt in run.result.get("warnings", ())],
    }
    if test is not None:
        single = len(members) == 1
        of_group = run.peers > 1 and not single
        seed = members[0] // run.peers
        found["test"] = test["members"][members[0]] if single else test["ensemble"][seed] if of_group else None
        found["all_seeds"] = {name: _spread(summary) for name, summary in run.test.items()}
    if comparison is not None:
        found["warnings"] = [f"{d['part']}: {d['text']}" for d in comparison.get("warnings", ())] or found["warnings"]
    if source.baseline is not None:
        found |= _against(run, source.baseline)
    elif comparison is not None and comparison.get("comparison"):
        found["gain"] = {figure: plain["summary"] for figure, plain in comparison["comparison"].items()}
        twin = comparison.get("baseline")
        found["baseline"] = None if twin is None else _twin(twin, metric)
    return found


def _against(run: Run, baseline: Run) -> dict[str, Any]:
    """What a comparison by hand says.

    Raises:
        ConfigError: other data, another metric, other seeds, or a test set that was left sealed.
    """
    figures: list[Figure] = ["mean", "best_val", "ensemble"] if min(run.peers, baseline.peers) > 1 else ["mean"]
    gain = {figure: str(compare(run, baseline, figure)) for figure in figures}
    return {"baseline": _twin(baseline.result, run.result["metric"]), "gain": gain}


def _twin(result: Mapping[str, Any], metric: str) -> dict[str, Any]:
    spread = {metric: _spread(Summary(tuple(result["test"]["mean"])))}
    return {"name": result["name"], "models": result["models"], "all_seeds": spread}


def _spread(summary: Summary) -> dict[str, float | int | None]:
    return {"mean": summary.mean, "std": None if math.isnan(summary.std) else summary.std, "seeds": summary.n}
