"""Whether an exported folder is still what was exported, and still computes it on this machine."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphstill.errors import ExportError
from graphstill.runtime.graph import Graph
from graphstill.runtime.images import ImagePredictor
from graphstill.runtime.manifest import NAME, digest, engines, file_entries, read_manifest
from graphstill.runtime.opening import AnyPredictor, open_student
from graphstill.runtime.predictor import Predictor
from graphstill.runtime.probe import AnyCase, Case, ImageCase, read_probe


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    ok: bool
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{'ok   ' if self.ok else 'WRONG'} {self.name}: {self.detail}"


@dataclass(frozen=True)
class Report:
    """All that was looked at; ``ok`` where nothing is wrong."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(finding.ok for finding in self.findings)

    @property
    def lines(self) -> list[str]:
        """A line a finding, for people."""
        return [str(finding) for finding in self.findings]


def verify(directory: str | Path) -> Report:
    """Hash every file again, then run the probe on every engine of the folder.

    Nothing is executed unless every file is what the manifest says. That tells damage and mix-ups; it is no signature:
    who can change the files can also write a new manifest.

    Raises nothing about the folder: what is missing or broken is in the report.
    """
    directory = Path(directory)
    try:
        manifest = read_manifest(directory)
        found = [_digest(manifest), *_files(directory, manifest)]
        if not all(finding.ok for finding in found):
            found.append(Finding(False, "probe", "not run, since files are not what they were"))
            return Report(tuple(found))
        cases = read_probe(directory)
    except ExportError as error:
        return Report((Finding(False, "folder", str(error)),))
    return Report((*found, *(_probe(directory, manifest, engine, cases) for engine in engines(manifest))))


def _digest(manifest: dict[str, Any]) -> Finding:
    if digest(manifest) == manifest["digest"]:
        return Finding(True, NAME, f"digest {manifest['digest'][:16]}")
    return Finding(False, NAME, "its digest does not fit its content: it was changed after the export; export again")


def _files(directory: Path, manifest: dict[str, Any]) -> list[Finding]:
    expected, there = manifest["files"], file_entries(directory)
    wrong = [Finding(False, name, "missing: copy the folder again, whole") for name in sorted(expected.keys() - there)]
    for name in sorted(there.keys() - expected.keys()):
        wrong.append(Finding(False, name, "not part of the export: remove it, or keep it elsewhere"))
    for name in sorted(expected.keys() & there.keys()):
        if there[name] != expected[name]:
            detail = f"{there[name]['bytes']} bytes with sha256 {there[name]['sha256'][:16]}"
            wrong.append(Finding(False, name, f"{detail}, not what was exported: copy it again"))
    return wrong or [Finding(True, "files", f"{len(expected)} as exported")]


def _probe(directory: Path, manifest: dict[str, Any], engine: str, cases: list[AnyCase]) -> Finding:
    name, allowed = f"engine {engine}", float(manifest["tolerance"][engine])
    if not cases:
        return Finding(False, name, "the probe is empty: export again")
    try:
        predictor = open_student(directory, engine=engine)
        worst = max(_difference(predictor, case) for case in cases)
    except Exception as error:  # noqa: BLE001 - whatever a machine's runtime says about the file is the finding
        return Finding(False, name, f"does not run here: {type(error).__name__}: {error}")
    sizes = ", ".join(str(len(case.logits)) for case in cases)
    things = "images" if isinstance(predictor, ImagePredictor) else "nodes"
    detail = f"differs by {worst:.1e} at most (allowed {allowed:.1e}) on {sizes} {things}"
    if worst <= allowed:
        return Finding(True, name, detail)
    return Finding(False, name, f"{detail}, {platform.machine()}: use another engine, or export again")


def _difference(predictor: AnyPredictor, case: AnyCase) -> float:
    """The largest one, in parts of the largest logit where that is above 1."""
    if isinstance(predictor, ImagePredictor) and isinstance(case, ImageCase):
        logits = predictor.logits(case.images)
    elif isinstance(predictor, Predictor) and isinstance(case, Case):
        logits = predictor.logits(case.x, Graph(case.edge_index, len(case.x)) if predictor.needs_graph else None)
    else:
        raise ExportError("the probe is of another kind than the network: export again")
    if logits.shape != case.logits.shape or not np.isfinite(logits).all():
        return float("inf")
    return float(np.abs(logits - case.logits).max(initial=0.0) / max(1.0, np.abs(case.logits).max(initial=0.0)))
