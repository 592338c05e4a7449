"""What a run leaves on disk: results, checkpoints, kills at any moment, interrupts, broken files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from graphstill.engine import Run, Training, distill, train
from graphstill.errors import CheckpointError, ConfigError, SealError
from graphstill.methods import OAD, Alignahead
from graphstill.nn import GCN
from tests.tiny import tiny_task

SHORT = Training(epochs=6, checkpoint_seconds=0.0, log_every=2)

LONG_RUN = """
import sys, torch
torch.set_num_threads(1)
from pathlib import Path
from graphstill.engine import Training, distill
from graphstill.methods import OAD
from graphstill.nn import GCN
from tests.tiny import tiny_task
settings = Training(epochs=150, checkpoint_seconds=0.0, log_every=5)
common = {"peers": 3, "seeds": 2, "training": settings, "directory": Path(sys.argv[1]), "resume": True}
distill(GCN(hidden=8), tiny_task(), method=OAD(), **common)
"""


def start(directory: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    return subprocess.Popen([sys.executable, "-c", LONG_RUN, str(directory)], cwd=root, stderr=subprocess.PIPE)


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """SIGKILL at five random moments, resumed each time: bit-identical to the undisturbed run."""
    undisturbed = start(tmp_path / "whole")
    _, errors = undisturbed.communicate(timeout=240)
    assert undisturbed.returncode == 0, errors.decode()
    kills, moments = 0, random.Random(0)
    for _ in range(40):
        process = start(tmp_path / "cut")
        if kills < 5:
            first = _epoch(tmp_path / "cut")
            deadline = time.monotonic() + 120
            # A random moment after the run moved on from where it was.
            while process.poll() is None and _epoch(tmp_path / "cut") <= first and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(moments.random() * 0.05)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                kills += 1
        _, errors = process.communicate(timeout=240)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors.decode()
    assert kills == 5
    one, two = Run.load(tmp_path / "whole"), Run.load(tmp_path / "cut")
    assert all(torch.equal(v, two.cohort.state_dict()[k]) for k, v in one.cohort.state_dict().items())
    for key in ("validation", "best_epoch", "test", "history"):
        assert one.result[key] == two.result[key]
    assert (tmp_path / "whole/metrics.jsonl").read_bytes() == (tmp_path / "cut/metrics.jsonl").read_bytes()


def _epoch(directory: Path) -> int:
    """Bytes of metrics written so far: they only grow."""
    path = directory / "metrics.jsonl"
    return path.stat().st_size if path.exists() else -1


def test_interrupt_writes_a_checkpoint(tmp_path: Path) -> None:
    def interrupt(epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    settings = Training(epochs=6)
    with pytest.raises(KeyboardInterrupt):
        train(GCN(hidden=4), tiny_task(), training=settings, directory=tmp_path, progress=interrupt)
    assert (tmp_path / "checkpoint.safetensors").exists() and signal.getsignal(signal.SIGINT) is before
    resumed = train(GCN(hidden=4), tiny_task(), training=settings, directory=tmp_path, resume=True)
    assert resumed.result["history"] == train(GCN(hidden=4), tiny_task(), training=settings).result["history"]


@pytest.mark.parametrize("alternating", [False, True])
def test_saved_and_loaded(tmp_path: Path, alternating: bool) -> None:
    method = Alignahead() if alternating else OAD()
    run = distill(GCN(hidden=4), tiny_task(), method=method, peers=2, seeds=2, training=SHORT, directory=tmp_path)
    loaded = Run.load(tmp_path)
    assert loaded.result == run.result and repr(loaded) == repr(run)
    batch = tiny_task().full_batch()
    for one, two in zip(run.cohorts, loaded.cohorts, strict=True):
        assert torch.equal(one(batch.x, batch.graph).logits, two(batch.x, batch.graph).logits)
    assert not (tmp_path / "checkpoint.safetensors").exists() and not (tmp_path / "lock").exists()
    for line in (tmp_path / "metrics.jsonl").read_text().splitlines():
        assert "supervised" in json.loads(line)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = train(GCN(hidden=4), tiny_task(), training=SHORT, directory=tmp_path)
    task = tiny_task()
    again = train(GCN(hidden=4), task, training=SHORT, directory=tmp_path, resume=True)
    assert again.result == first.result and task.test.openings == []
    with pytest.raises(ConfigError, match="holds a run already"):
        train(GCN(hidden=4), tiny_task(), training=SHORT, directory=tmp_path)
    with pytest.raises(CheckpointError, match="belongs to another run: models differ"):
        train(GCN(hidden=5), tiny_task(), training=SHORT, directory=tmp_path, resume=True)


def test_broken_files(tmp_path: Path) -> None:
    train(GCN(hidden=4), tiny_task(), training=SHORT, directory=tmp_path)
    weights = tmp_path / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="is broken"):
        Run.load(tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match="no file"):
        Run.load(tmp_path)
    (tmp_path / "result.json").write_text("{")
    with pytest.raises(CheckpointError, match="is broken"):
        Run.load(tmp_path)
    with pytest.raises(CheckpointError, match="holds no run"):
        Run.load(tmp_path / "nowhere")


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    def stop(epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if epoch == 3:
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        train(GCN(hidden=4), tiny_task(), training=SHORT, directory=tmp_path, progress=stop)
    other = Training(epochs=6, lr=0.5, checkpoint_seconds=0.0, log_every=2)
    with pytest.raises(CheckpointError, match="training differ"):
        train(GCN(hidden=4), tiny_task(), training=other, directory=tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="data_hash"):
        train(GCN(hidden=4), tiny_task(inductive=True), training=SHORT, directory=tmp_path, resume=True)


def test_two_runs_never_share_a_directory(tmp_path: Path) -> None:
    def second(epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if epoch == 2:
            with pytest.raises(CheckpointError):
                train(GCN(hidden=4), tiny_task(), training=SHORT, directory=tmp_path, resume=True)

    train(GCN(hidden=4), tiny_task(), training=SHORT, directory=tmp_path, progress=second)


def test_the_seal_is_broken_once_for_each_run() -> None:
    task = tiny_task()
    train(GCN(hidden=4), task, training=SHORT)
    (opening,) = task.test.openings
    assert opening["selected_by"] == "validation accuracy"
    with pytest.raises(SealError):
        task.test.open(opening["run"], "validation accuracy")
