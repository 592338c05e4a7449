"""Does it work here? Versions, threads, data, disk, and a small training, each with what to do if not."""

from __future__ import annotations

import importlib.metadata
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphstill.environment import environment, version


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `advice` says what to do where it is not `ok`."""

    name: str
    ok: bool
    detail: str
    advice: str = ""


def doctor(root: str | Path | None = None, directory: str | Path = ".") -> list[Finding]:
    """Look at everything that a run needs.

    Args:
        root: where the data is; by default the environment variable GRAPHSTILL_DATA.
        directory: where runs will be written.
    """
    return [*_packages(), *_hardware(), _data(root), _writable(Path(directory)), _self_test()]


def _packages() -> Iterator[Finding]:
    here = environment()
    yield Finding("python", True, here["python"])
    commit = f", commit {here['git_commit']}" if here["git_commit"] else ""
    yield Finding("graphstill", True, f"{here['graphstill']}{commit}")
    for requirement in importlib.metadata.requires("graphstill") or []:
        if "extra ==" in requirement:
            continue
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        found = version(name)
        yield Finding(name, found is not None, found or "missing", f"Install it: pip install '{requirement}'.")


def _hardware() -> Iterator[Finding]:
    import torch

    here = environment()
    yield Finding("cpu", True, f"{here['cpu']}, {here['cores']} cores, torch uses {here['threads']} threads")
    cuda = torch.cuda.is_available()
    yield Finding("device", True, torch.cuda.get_device_name() if cuda else "cpu (no CUDA device, none is needed)")
    yield Finding("convolutions", True, _convolutions())


def _convolutions() -> str:
    from graphstill.vision import corrupts_here

    if not corrupts_here():
        return "narrow strided ones work"
    return (
        "torch corrupts memory here in 1x1 convolutions of stride 2 with fewer than 8 input channels in channels-last "
        "layout; graphstill's networks compute them another way, modules of your own should be in the contiguous layout"
    )


def _data(root: str | Path | None) -> Finding:
    from graphstill.data import datasets

    root = root or os.environ.get("GRAPHSTILL_DATA")
    if not root:
        return Finding(
            "data", True, "digits is built in; others are downloaded, or read from $GRAPHSTILL_DATA (not set)"
        )
    path = Path(root)
    if not path.is_dir():
        return Finding("data", False, f"{root}: no such folder", "Correct --root or GRAPHSTILL_DATA, or unset it.")
    found = sorted({file.stem for folder in (path, path / "graphs") for file in folder.glob("*.npz")})
    known = [name for name in found if name in datasets.names()]
    detail = f"{path}: {', '.join(known) or 'no data set that graphstill knows'}"
    others = len(found) - len(known)
    advice = "Put NAME.npz or graphs/NAME.npz there, see `graphstill list datasets`."
    return Finding("data", bool(known), detail + (f", and {others} other files" if others else ""), advice)


def _writable(directory: Path) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"\0")
    except OSError as error:
        return Finding("disk", False, f"cannot write to {directory}: {error}", "Run elsewhere, or give --dir.")
    return Finding("disk", True, f"{directory.resolve()} can be written")


def _self_test() -> Finding:
    """Two classes of nodes that a network must be able to tell apart, trained twice with the same seed."""
    import numpy as np

    from graphstill.data import NodeTask
    from graphstill.engine import Training, train
    from graphstill.models import make_model

    start = time.perf_counter()
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    edges = np.array([(a, b) for a in range(60) for b in range(60) if a != b and y[a] == y[b] and rng.random() < 0.2]).T
    x = (rng.normal(size=(60, 8)) + y[:, None]).astype("float32")
    train_part, val, test = np.split(np.arange(60), 3)
    task = NodeTask.from_arrays(x, edges, y, name="self-test", train=train_part, val=val, test=test)
    model, training = make_model("gcn", hidden=8), Training(epochs=30)
    runs = [train(model, task, seeds=2, training=training, name=f"self-test-{i}") for i in range(2)]
    accuracy = min(runs[0].result["test"]["mean"])
    same = runs[0].result["test"] == runs[1].result["test"]
    detail = (
        f"accuracy {accuracy:.2f}, {'repeatable' if same else 'NOT repeatable'}, {time.perf_counter() - start:.1f} s"
    )
    advice = (
        "A broken installation of torch, most likely: reinstall it, and report this with `graphstill doctor --json`."
    )
    return Finding("self test", accuracy > 0.8 and same, detail, advice)
