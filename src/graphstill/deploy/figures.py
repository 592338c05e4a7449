"""What is known of the exported member from its run, as plain values for the manifest and the card."""

from __future__ import annotations

import math
from typing import Any

from graphstill.deploy.onnx_graph import OPSET
from graphstill.deploy.source import Source
from graphstill.deploy.subject import ENSEMBLE, Subject, description
from graphstill.engine import Run, Summary
from graphstill.environment import environment, version
from graphstill.runtime.manifest import FORMAT


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
        "results": results(run, subject, source.comparison),
        "data_hash": run.result["data_hash"],
        "int8": None,
        "environment": environment(),
    }


def results(run: Run, subject: Subject, comparison: dict[str, Any] | None) -> dict[str, Any]:
    """Figures of the exported members and of all seeds; ``test`` is None where the test set stayed sealed.

    ``gain`` is the paired difference to the undistilled student as the recipe's comparison has it, a text with seeds,
    interval and p; None where there is no comparison beside the run.
    """
    metric, test = run.result["metric"], run.result["test"]
    found: dict[str, Any] = {
        "metric": metric,
        "seeds": [run.seeds[i // run.peers] for i in subject.members],
        "validation": [run.validation[i] for i in subject.members],
        "test": None,
        "all_seeds": None,
        "gain": None,
        "teacher": run.result.get("teacher"),
        "warnings": [doubt["text"] for doubt in run.result.get("warnings", ())],
    }
    if test is not None:
        single = len(subject.members) == 1
        of_group = run.peers > 1 and not single
        seed = subject.members[0] // run.peers
        found["test"] = test["members"][subject.members[0]] if single else test["ensemble"][seed] if of_group else None
        found["all_seeds"] = {name: _spread(summary) for name, summary in run.test.items()}
    if comparison is not None:
        found["warnings"] = [f"{d['part']}: {d['text']}" for d in comparison.get("warnings", ())] or found["warnings"]
    if comparison is not None and comparison.get("comparison"):
        found["gain"] = {figure: plain["summary"] for figure, plain in comparison["comparison"].items()}
    return found


def _spread(summary: Summary) -> dict[str, float | int | None]:
    return {"mean": summary.mean, "std": None if math.isnan(summary.std) else summary.std, "seeds": summary.n}
