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

from graphstill.data import ImageTask, NodeTask, Task, datasets
from graphstill.deploy.export import export, write
from graphstill.deploy.figures import results
from graphstill.deploy.options import Options
from graphstill.deploy.source import COMPARISON, RESULT, STUDENT, Source, Trained, of_images, source_of
from graphstill.deploy.subject import refuse_graphs
from graphstill.engine import Run
from graphstill.errors import ConfigError, DataError, ExportError
from graphstill.ops import SparseFeatures
from graphstill.runtime.manifest import read_manifest

PARTS = ("student", "baseline", "teacher")


@dataclass(frozen=True, eq=False)
class Candidate:
    """One model of a comparison.

    Attributes:
        role: "student", "baseline", "teacher", a folder's name, or the name that was given.
        directory: its export; None where it cannot be exported.
        run: what it was exported from, where that is known.
        problem: why it cannot be exported.
    """

    role: str
    directory: Path | None
    run: Run | None = None
    problem: str = ""

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Of its export; of one that has none, what is known of its run under the same keys."""
        if self.directory is not None:
            return read_manifest(self.directory)
        assert self.run is not None
        run = self.run
        return {
            "model": run.result["models"][0],
            "member": run.best_member(),
            "metric": run.result["metric"],
            "parameters": run.result["parameters"],
            "results": results(Source(run), (run.best_member(),)),
            "protocol": run.result["protocol"],
        }

    def test(self, engine: str) -> dict[str, Any]:
        """The test figure of the member that is measured, and of its run over all seeds; None where it is sealed.

        With rounded weights the member has none: the test set was opened before.
        """
        results = self.manifest["results"]
        member = None if engine == "int8" else results["test"]
        return {"member": member, "all_seeds": (results["all_seeds"] or {}).get(self.manifest["metric"])}

    def notes(self, engine: str) -> list[str]:
        """What a reader must know about its figures."""
        if self.directory is None:
            return [f"{self.role}: full passes in torch, in this process, for it cannot be exported: {self.problem}"]
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
    sources: Mapping[str, Trained], into: Path, engine: str | None, root: str | Path | None, task: Task | None
) -> tuple[str, NodeTask, list[Candidate]]:
    """A name for it all, the data, and the models by their names. What is not exported yet is, into `into`.

    Raises:
        ConfigError: nothing given, or no data for what needs some. DataError: the data is not what they were trained
        on. ExportError: the run of a recipe cannot be exported.
    """
    given = list(sources.values())
    if len(given) == 1 and isinstance(given[0], str | Path) and (Path(given[0]) / COMPARISON).is_file():
        return _of_recipe(Path(given[0]), into, engine, root, task)
    if isinstance(task, ImageTask):
        _refuse_images(task.protocol(), task.name)
    folders = {role: Path(one) for role, one in sources.items() if isinstance(one, str | Path) and _is_export(one)}
    found = {role: Candidate(role, folder) for role, folder in folders.items()}
    data = _task_of(list(found.values()), root, task) if found or task is not None else None
    for number, (role, one) in enumerate(sources.items()):
        if role in folders:
            continue
        source = source_of(one, data)
        _refuse_images(source.run.result["protocol"], role)
        own = data if data is not None else source.task(root)
        if not isinstance(own, NodeTask):
            raise ConfigError(
                f"{role} is a run, which does not hold its data (task {source.run.result['protocol']['dataset']!r}): "
                "give them, task= in Python, --task FILE.npz on the command line (task.save('FILE.npz') writes it)"
            )
        data = own
        found[role] = _exported(role, source, into / str(number), own, engine)
    assert data is not None
    return " | ".join(sources), data, [found[role] for role in sources]


def _is_export(path: str | Path) -> bool:
    """A path is an exported folder unless a run lies there."""
    return not any((Path(path) / part).exists() for part in (RESULT, STUDENT, COMPARISON))


def _exported(role: str, source: Source, into: Path, task: NodeTask, engine: str | None) -> Candidate:
    """Exported, or, where that is not possible, as it is, to be run in torch."""
    try:
        write(source, into, task, Options(engine=engine, int8="dynamic" if engine == "int8" else None))
    except ExportError as error:
        return Candidate(role, None, source.run, str(error))
    return Candidate(role, into, source.run)


def _of_recipe(
    path: Path, into: Path, engine: str | None, root: str | Path | None, given_task: Task | None
) -> tuple[str, NodeTask, list[Candidate]]:
    comparison = json.loads((path / COMPARISON).read_text(encoding="utf-8"))
    recipe = comparison["recipe"]
    _refuse_images(comparison["protocol"], path)
    task = datasets.load(root=root, **recipe["task"]) if given_task is None else given_task
    refuse_graphs(task.protocol(), "graphstill.bench")
    assert isinstance(task, NodeTask)
    given = (recipe.get("teacher") or {}).get("run")
    found = []
    for part in PARTS:
        if comparison[part] is None:
            continue
        folder = Path(given) if part == "teacher" and given else path / part
        export(folder, into / part, task=task, engine=engine, int8="dynamic" if engine == "int8" else None)
        found.append(Candidate(part, into / part, Run.load(folder)))
    return str(comparison["name"]), task, found


def _task_of(found: Sequence[Candidate], root: str | Path | None, given: Task | None) -> NodeTask:
    """The data given, or the data set that the folders say they were trained on; its graph and features are used."""
    protocols = [candidate.manifest["protocol"] for candidate in found]
    for candidate, protocol in zip(found, protocols, strict=True):
        _refuse_images(protocol, candidate.directory)
    if given is not None:
        refuse_graphs(given.protocol(), "graphstill.bench")
        assert isinstance(given, NodeTask)
        for candidate in found:
            _check_hash(candidate, given)
        return given
    keys = ("dataset", "nodes", "edges", "features", "feature_normalization")
    wanted = [{key: protocol[key] for key in keys} for protocol in protocols]
    name = wanted[0]["dataset"]
    if name not in datasets.names(root):
        raise DataError(
            f"it was trained on data of your own, {name!r} (hash {found[0].manifest['data_hash'][:12]}), and a folder "
            f"cannot know where they lie. Where: {found[0].directory}. Give them: --task FILE.npz, which "
            "task.save('FILE.npz') writes, or in Python task="
        )
    task = datasets.load(name, root=root, normalize=wanted[0]["feature_normalization"])
    have = {key: task.protocol()[key] for key in keys}
    for candidate, own in zip(found, wanted, strict=True):
        if own != have:
            raise DataError(
                f"it was trained on {own}, the data here is {have}. Where: {candidate.directory}. "
                "Compare models of one data set, and give its folder (--root), or data of your own (--task FILE.npz)."
            )
    return task


def _check_hash(candidate: Candidate, task: NodeTask) -> None:
    manifest = candidate.manifest
    if manifest["data_hash"] != task.hash:
        raise DataError(
            f"it was trained on data {manifest['protocol']['dataset']!r} (hash {manifest['data_hash'][:12]}), not on "
            f"task {task.name!r} (hash {task.hash[:12]}). Where: {candidate.directory}. Give the task that it was "
            "trained on: the same features, edges, labels, split and setting."
        )


def _refuse_images(protocol: Mapping[str, Any], where: object) -> None:
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
