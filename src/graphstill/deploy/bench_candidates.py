"""What is compared, and on which graph: the parts of a recipe's run, exported alike, or folders exported before."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphstill.data import NodeTask, datasets
from graphstill.deploy.export import export
from graphstill.deploy.source import of_images
from graphstill.engine import Run
from graphstill.errors import ConfigError, DataError
from graphstill.ops import SparseFeatures
from graphstill.runtime.manifest import read_manifest

COMPARISON = "comparison.json"
PARTS = ("student", "baseline", "teacher")


@dataclass(frozen=True, eq=False)
class Candidate:
    """One model of a comparison.

    Attributes:
        role: "student", "baseline", "teacher", or a folder's name.
        directory: its export.
        run: what it was exported from, where that is known.
    """

    role: str
    directory: Path
    run: Run | None = None

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return read_manifest(self.directory)

    def test(self, engine: str) -> dict[str, Any]:
        """The test figure of the member that is measured, and of its run over all seeds; None where it is sealed.

        With rounded weights the member has none: the test set was opened before.
        """
        results = self.manifest["results"]
        member = None if engine == "int8" else results["test"]
        return {"member": member, "all_seeds": (results["all_seeds"] or {}).get(self.manifest["metric"])}

    def notes(self, engine: str) -> list[str]:
        """What a reader must know about its figures."""
        if engine != "int8":
            return []
        rounded = self.manifest["int8"]
        return [
            f"{self.role}: test figures are those before rounding; validation {100 * rounded['validation_float']:.2f} "
            f"before, {100 * rounded['validation']:.2f} after"
        ]

    def eager(self, task: NodeTask) -> Callable[[], object] | None:
        """A full pass of the same member in PyTorch Geometric's own layers; None for an ensemble or an unknown run."""
        member = self.manifest["member"]
        if self.run is None or not isinstance(member, int):
            return None
        run, batch = self.run, task.full_batch()
        cohort, i = run.cohort_of(member)
        module = cohort.to_pyg(i).eval()
        x = batch.x.to_dense() if isinstance(batch.x, SparseFeatures) else batch.x
        edge_index = batch.graph.edge_index()

        def full() -> object:
            with torch.inference_mode():
                return module(x, edge_index)

        return full


def candidates(
    paths: Sequence[Path], into: Path, engine: str | None, root: str | Path | None
) -> tuple[str, NodeTask, list[Candidate]]:
    """A name for it all, the data, and the models. The parts of a recipe's run are exported into `into`.

    Raises:
        ConfigError: nothing given, or a folder twice. DataError: the data is not what they were trained on.
    """
    if len(paths) == 1 and (paths[0] / COMPARISON).is_file():
        return _of_recipe(paths[0], into, engine, root)
    if len(set(paths)) < max(1, len(paths)):
        given = ", ".join(map(str, paths)) or "nothing"
        raise ConfigError(
            f"given: {given}. Where: graphstill bench. Give a recipe's run, or exported folders, each once."
        )
    names = [path.resolve().name for path in paths]
    roles = names if len(set(names)) == len(names) else [str(path) for path in paths]
    found = [Candidate(role, path) for role, path in zip(roles, paths, strict=True)]
    return " | ".join(roles), _task_of(found, root), found


def _of_recipe(
    path: Path, into: Path, engine: str | None, root: str | Path | None
) -> tuple[str, NodeTask, list[Candidate]]:
    comparison = json.loads((path / COMPARISON).read_text(encoding="utf-8"))
    recipe = comparison["recipe"]
    _refuse_images(comparison["protocol"], path)
    task = datasets.load(root=root, **recipe["task"])
    given = (recipe.get("teacher") or {}).get("run")
    found = []
    for part in PARTS:
        if comparison[part] is None:
            continue
        folder = Path(given) if part == "teacher" and given else path / part
        export(folder, into / part, task=task, engine=engine, int8="dynamic" if engine == "int8" else None)
        found.append(Candidate(part, into / part, Run.load(folder)))
    return str(comparison["name"]), task, found


def _task_of(found: Sequence[Candidate], root: str | Path | None) -> NodeTask:
    """The data set that the folders say they were trained on; only its graph and features are used."""
    protocols = [candidate.manifest["protocol"] for candidate in found]
    for candidate, protocol in zip(found, protocols, strict=True):
        _refuse_images(protocol, candidate.directory)
    keys = ("dataset", "nodes", "edges", "features", "feature_normalization")
    wanted = [{key: protocol[key] for key in keys} for protocol in protocols]
    task = datasets.load(wanted[0]["dataset"], root=root, normalize=wanted[0]["feature_normalization"])
    have = {key: task.protocol()[key] for key in keys}
    for candidate, own in zip(found, wanted, strict=True):
        if own != have:
            raise DataError(
                f"it was trained on {own}, the data here is {have}. Where: {candidate.directory}. "
                "Compare models of one data set, and give its folder (--root)."
            )
    return task


def _refuse_images(protocol: Mapping[str, Any], where: Path) -> None:
    if of_images(protocol):
        raise ConfigError(
            f"it is a network of images, and what is measured here are passes over a graph. Where: {where}. "
            "Export it: the milliseconds of a batch stand in its manifest (timing), parameters and sizes beside them."
        )


def arrays_of(task: NodeTask) -> dict[str, Any]:
    """Features and edges of the full graph in plain NumPy arrays, as `bench_worker` reads them."""
    batch = task.full_batch()
    edges = {"edge_index": batch.graph.edge_index().numpy()}
    if isinstance(batch.x, SparseFeatures):
        parts = {"data": batch.x.values, "indices": batch.x.indices, "indptr": batch.x.ptr}
        return {**edges, **{key: part.numpy() for key, part in parts.items()}, "shape": np.asarray(batch.x.shape)}
    return {**edges, "x": batch.x.numpy()}
