"""What of a result is out of the ordinary, in words: changed graphs, privileged teachers, warm starts."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean
from typing import Any

REMOVED = {"edges_removed": "edges", "train_removed": "training nodes"}
GRAPHS = {"full": "the full graph", "own": "the students' graph", "unknown": "a graph not known"}


def data_text(protocol: Mapping[str, Any]) -> str:
    """Data set, split, setting, what was removed, and how batches are drawn where that is not usual."""
    text = f"{protocol['dataset']}, {protocol['split']}, {protocol['setting']}"
    for key, what in REMOVED.items():
        text += "".join(f", without {100 * step['share']:g} % of the {what}" for step in protocol.get(key, ()))
    walks = protocol.get("walks")
    return text if walks is None else f"{text}, batches of {walks['roots']:,} walks of {walks['length']} steps"


def start_text(result: Mapping[str, Any]) -> str:
    """The start of a result's student, to stand behind its method; empty where it began from scratch."""
    start = result.get("start")
    if start is None:
        return ""
    return f", started from {start['dataset']}" + ("" if start["labels_shuffled"] is None else " (labels shuffled)")


def taught_text(result: Mapping[str, Any]) -> str:
    """What the teacher reaches on the items that are learnt and that select; empty where none taught."""
    taught, metric = result.get("taught") or {}, result.get("metric")
    figures = [f"{part} {100 * mean(taught[part][metric]):.2f}" for part in ("validation", "train") if part in taught]
    return f"the teacher's own {metric}: {', '.join(figures)}" if figures else ""


def guard_text(result: Mapping[str, Any]) -> str:
    """Which factor on the distillation validation chose, to stand behind a method; empty where there was no guard."""
    guard = result.get("guard")
    if guard is None:
        return ""
    chosen = [one["chosen"] for one in guard] if isinstance(guard, list) else [guard["chosen"]]
    counts = {factor: chosen.count(factor) for factor in sorted(set(chosen))}
    if len(chosen) == 1:
        return f", guarded: {chosen[0]:g}"
    return f", guarded: {', '.join(f'{factor:g} ({count} splits)' for factor, count in counts.items())}"


def doubts(result: Mapping[str, Any]) -> list[str]:
    """What is odd about a result, in words."""
    return [f"{doubt['part']}: {doubt['text']}" for doubt in result.get("warnings", ())]


def notes(result: Mapping[str, Any]) -> list[str]:
    """A line for each thing that a reader of the figures must know besides."""
    lines, protocol = [taught_text(result)] if taught_text(result) else [], result["protocol"]
    for kind, what in (("guard", "guard: factor on the distillation"), ("choices", "undistilled: training")):
        choice = result.get(kind)
        if isinstance(choice, Mapping):
            figures = ", ".join(
                f"{value:g}: {100 * mean(own):.2f}"
                for value, own in zip(choice["candidates"], choice["validation"], strict=True)
            )
            lines.append(
                f"{what} {choice['chosen']:g}, chosen by validation ({figures}) from {choice['trainings']} trainings, "
                f"{sum(choice['wall_seconds']):.1f} s"
            )
    homophily = protocol.get("homophily")
    if homophily is not None:
        lines.append(
            f"homophily of the edges between known labels: {homophily['edge']:.2f}, adjusted "
            f"{homophily['adjusted']:.2f}"
        )
    if protocol.get("edges_unused"):
        lines.append(f"not used: {' and '.join(protocol['edges_unused'])} of the data")
    privileged = (protocol.get("teacher") or {}).get("privileged")
    if privileged is not None:
        lines.append(
            f"privileged teacher: trained on {GRAPHS[privileged['trained_on']]}, its outputs computed on "
            f"{GRAPHS[privileged['outputs_on']]}; the full graph has {privileged['edges']:,} edges as stored and "
            f"{privileged['train']:,} training nodes, the students' {protocol['edges']:,} and {protocol['train']:,}"
        )
    together = (protocol.get("teacher") or {}).get("ensemble")
    if together is not None:
        lines.append(f"the teacher is the ensemble of {together} networks; its figure is that of their mean member")
    frozen = (result.get("teacher") or {}).get("frozen")
    if frozen is not None:
        lines.append(
            "the teacher's test figure is on the full graph; frozen, on the students' graph, it is "
            f"{100 * mean(frozen['mean']):.2f}"
        )
    start = result.get("start")
    if start is not None:
        shuffled = "" if start["labels_shuffled"] is None else ", shuffled labels"
        lines.append(
            f"start: {start['run']} ({start['dataset']}{shuffled}), {start['members']}; "
            f"copied {', '.join(start['copied'])}; fresh {', '.join(start['fresh']) or 'nothing'}"
        )
    for key, comparison in result.get("transfer", {}).items():
        unit = " in per cent" if key == "transfer_ratio" else ""
        lines.append(f"student - baseline on validation, {key.replace('_', ' ')}{unit}: {comparison['summary']}")
    return lines + [f"warning: {text}" for text in doubts(result)]
