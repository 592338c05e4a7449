"""A trained member as a folder that runs with numpy and onnxruntime alone."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphstill.data import METRICS, ImageTask, NodeTask, Task
from graphstill.deploy import parity, quantize
from graphstill.deploy.card import CARD, card
from graphstill.deploy.engines import THREADS, Engines, fits, stand_in_case, task_case
from graphstill.deploy.extra import needed
from graphstill.deploy.figures import about
from graphstill.deploy.folder import staged
from graphstill.deploy.images import write_images
from graphstill.deploy.measure import interleaved
from graphstill.deploy.onnx_graph import compile_dense
from graphstill.deploy.options import Member, Options
from graphstill.deploy.parity import TOLERANCE, Case
from graphstill.deploy.plan import Dense
from graphstill.deploy.source import OwnTask, Source, Trained, source_of, task_of
from graphstill.deploy.subject import GraphSubject, refuse_graphs, subject_of
from graphstill.deploy.weights import write_weights
from graphstill.engine import Run
from graphstill.errors import ConfigError, DataError, nearest
from graphstill.files import atomic_write_bytes, atomic_write_text
from graphstill.runtime.manifest import MODELS, write_manifest
from graphstill.runtime.probe import Case as ProbeCase
from graphstill.runtime.probe import write_probe

MODEL, INT8 = MODELS["onnx"], MODELS["int8"]
ENGINES = ("onnx", "split", "int8")


def export(
    run: Trained,
    directory: str | Path,
    *,
    task: OwnTask = None,
    baseline: Run | str | Path | None = None,
    member: Member = None,
    int8: str | None = None,
    engine: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a trained network as a folder that :mod:`graphstill.runtime` serves without torch.

    Nothing is written unless every engine gives torch's logits on awkward graphs (isolated nodes, no edges, one node,
    repeated edges, sizes never seen), or on batches of images (one, an odd number, all black, all white), to within
    1e-4, relative where logits exceed 1.

    Args:
        run: what `train`, `distill` or `evaluate` returned, or the folder of one; of a recipe's folder its student. Or
            a module that was trained elsewhere, or a `Teacher`, with its task: its test labels stay sealed.
        directory: the folder to make. It appears whole or not at all.
        task: the data of the run, or the file of its `save`. Engines are then compared and timed on its graph;
            otherwise on a random graph of the recorded size. Of images, the network is also compared on those for
            validation.
        baseline: the undistilled student of the same seeds, or its folder: its figure and the gain, with an interval,
            go on the card. Of a recipe's folder they do so by themselves.
        member: its number; None for the one that validation picks; "ensemble" for the mean of the probabilities of all
            seeds, or, in groups, of the peers of the seed with the highest validation figure.
        int8: "dynamic" or "static" also writes a network with 8-bit weights, and measures it on validation nodes.
            "static" takes ranges from the training graph without validation and test nodes. Needs the task. Not for
            images.
        engine: which engine to serve with by default; None takes the faster of "onnx" (one graph) and "split" (products
            and sums over neighbours in numpy, so that sparse features stay sparse).
        overwrite: replace an exported folder.

    Returns:
        The folder.

    Raises:
        ExportError: parity fails, the folder exists, or the network cannot be exported.
        ConfigError, DataError, CheckpointError: an option, the task, or the run is not what it should be.

    >>> gs.export(run, "student", task=task).name
    'student'
    """
    data = task_of(task)
    return write(source_of(run, data, baseline), directory, data, Options(member, int8, engine, overwrite))


def write(source: Source, directory: str | Path, task: Task | None, options: Options) -> Path:
    """See :func:`export`."""
    needed("onnxruntime")
    run, directory = source.run, Path(directory)
    if task is not None and task.hash != run.result["data_hash"]:
        raise DataError(
            f"task {task.name!r} (hash {task.hash[:12]}) is not the data of run {run.name!r} (hash "
            f"{run.result['data_hash'][:12]}), in graphstill.export: give the task that it was trained on, or none"
        )
    if source.of_images:
        images = task.to("cpu") if isinstance(task, ImageTask) else None
        return write_images(source, directory, images, options)
    nodes = task.to("cpu", torch.float32) if isinstance(task, NodeTask) else None
    return _write_graphs(source, directory, nodes, options)


def _write_graphs(source: Source, directory: Path, task: NodeTask | None, options: Options) -> Path:
    run, int8, engine = source.run, options.int8, options.engine
    refuse_graphs(run.result["protocol"], "graphstill.export")
    _check_options(task, int8, engine)
    with staged(directory, options.overwrite) as folder, torch.no_grad():
        subject = subject_of(run, options.member)
        cases = parity.made_cases(subject.network, run.result["inputs"])
        manifest = about(source, subject) | _read_by_runtime(run.result["protocol"], subject)
        _write_files(folder, run, subject, cases)
        if int8 is not None and task is not None:
            feeds = quantize.calibration_feeds(task, subject.inputs) if int8 == "static" else ()
            atomic_write_bytes(folder / INT8, quantize.quantize(subject.model, int8, feeds))
        names = ["onnx", *(["split"] if subject.plan is not None else []), *(["int8"] if int8 is not None else [])]
        if engine is not None and engine not in names:
            raise ConfigError(
                f"engine={engine!r} in graphstill.export: this network has {', '.join(names)}; "
                "give one of them, or int8= as well"
            )
        # The engines read the manifest: one that says what is known so far.
        write_manifest(folder, manifest | {"tolerance": dict.fromkeys(names, TOLERANCE), "engine": names[0]})
        engines, large = Engines(folder, names), _large(run, task, subject)
        manifest |= _parity(engines, [*cases, large], subject.multi_label)
        manifest |= _timing(engines, large, engine)
        if int8 is not None and task is not None:
            manifest["int8"] = {"kind": int8} | _rounded(engines, task, folder)
        manifest["sizes"] = {
            name: (folder / name).stat().st_size for name in (MODEL, INT8) if (folder / name).is_file()
        }
        atomic_write_text(folder / CARD, card(manifest, directory.name))
        write_manifest(folder, manifest)
    return directory


def _check_options(task: NodeTask | None, int8: str | None, engine: str | None) -> None:
    quantize.check_kind(int8, task)
    if engine is not None and engine not in ENGINES:
        raise ConfigError(f"engine={engine!r} in graphstill.export: {nearest(engine, ENGINES)}")


def _read_by_runtime(protocol: Mapping[str, Any], subject: GraphSubject) -> dict[str, Any]:
    """The keys of the manifest that the runtime needs, but for the engines."""
    plan = subject.plan
    # Positions are added to features that are normalised already: what is normal for both together does not exist.
    positions = protocol.get("positions")
    return {
        "hops": 0 if plan is None else plan.hops,
        "feature_normalization": None if positions else _normalization(protocol),
        "plan": [] if plan is None else plan.describe(),
    }


def _write_files(folder: Path, run: Run, subject: GraphSubject, cases: Sequence[Case]) -> None:
    atomic_write_bytes(folder / MODEL, subject.model)
    if subject.plan is not None:
        for name, step in subject.plan.files():
            content = compile_dense(step) if isinstance(step, Dense) else _npy(step.weight)
            atomic_write_bytes(folder / name, content)
    write_weights(folder, run, subject)
    kept = [case for case in cases if case.probe]
    write_probe(folder, [ProbeCase(np.asarray(case.x), case.edge_index, case.logits) for case in kept])


def _large(run: Run, task: NodeTask | None, subject: GraphSubject) -> Case:
    """The task's graph, or one that stands in for it."""
    if task is not None:
        return task_case(task, subject.network)
    size = run.result["protocol"]
    return stand_in_case(size["nodes"], size["edges"], run.result["inputs"], subject.network)


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _parity(engines: Engines, cases: Sequence[Case], multi_label: bool) -> dict[str, Any]:
    """Figures of every engine on every case that it is given, and the tolerances that follow.

    Rounded weights may be far from torch: recorded is how far on the last case, the task's graph, since ranges fit the
    task's features and not random ones; what they do on those is the tolerance of the probe.

    Raises:
        ExportError: an engine is too far from torch.
    """
    worst, every = {}, {}
    for name, run in {MODEL: engines.file(), **{name: engines.run(name) for name in engines.predictors}}.items():
        engine = "onnx" if name == MODEL else name
        rows = parity.measure(run, [case for case in cases if fits(engine, case)], multi_label, name)
        parity.check(rows, name, sys.float_info.max if name == "int8" else TOLERANCE)
        worst[name], every[name] = parity.summary(rows[-1:] if name == "int8" else rows), rows
    allowed = dict.fromkeys(engines.predictors, TOLERANCE)
    if "int8" in allowed:
        allowed["int8"] = max(TOLERANCE, 2 * parity.summary(every["int8"])["difference"])
    return {"parity": parity.told(cases, worst, every), "tolerance": allowed}


def _normalization(protocol: Mapping[str, Any]) -> str | None:
    """What `Predictor.prepare` has to do to features as they are stored."""
    steps = ["binary"] if protocol.get("features_binarized") else []
    steps += [protocol["feature_normalization"]] if protocol["feature_normalization"] else []
    return "-".join(steps) or None


def _timing(engines: Engines, case: Case, asked: str | None) -> dict[str, Any]:
    """Medians on one graph, and the engine to serve with: the one asked for, or the faster in float32."""
    runs = {name: engines.prepared(name, case) for name in engines.predictors if fits(name, case)}
    medians = interleaved(runs, THREADS)
    exact = {name: time for name, time in medians.items() if name != "int8"}
    reason = "asked for" if asked is not None else "the faster" if len(exact) > 1 else "the only one that was timed"
    return {
        "engine": asked or min(exact, key=exact.__getitem__, default="onnx"),
        "timing": {"graph": case.name, "threads": THREADS, "milliseconds": medians, "reason": reason},
    }


def _rounded(engines: Engines, task: NodeTask, folder: Path) -> dict[str, Any]:
    """What 8 bits cost on validation nodes, and what they save."""
    batch = task.validation_batch()
    truth = batch.y[batch.val_rows]
    case = Case("validation", batch.x, batch.graph.edge_index().numpy(), np.empty(0))

    def score(name: str) -> float:
        logits = torch.from_numpy(engines.run(name)(case))
        return float(METRICS[task.metric](logits[None, batch.val_rows], truth)[0])

    return {
        "metric": task.metric,
        "validation": score("int8"),
        "validation_float": score("onnx"),
        "validation_nodes": len(batch.val_rows),
        "bytes": (folder / INT8).stat().st_size,
        "bytes_float": (folder / MODEL).stat().st_size,
    }
