"""What killed runs leave behind keeps nobody from going on, and does not stay for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import graphstill as gs
from graphstill import files
from graphstill.errors import DataError
from graphstill.lock import Lock
from graphstill.study.directory import run_directory
from graphstill.study.recipe import parse_recipe
from graphstill.study.runner import run_recipe
from tests.tiny import Killed, tiny_task

RECIPE = """
name: small
task: digits
teacher: {model: {name: gcn, hidden: 4}, training: {epochs: 2}}
student: {name: gcn, hidden: 2}
method: kd
training: {epochs: 2}
seeds: 1
"""


class _Counter:
    """Dies at the n-th write of a file, before it has its name."""

    def __init__(self, fatal: int) -> None:
        self.fatal, self.writes, self.replace = fatal, 0, os.replace

    def __call__(self, source: str, target: str) -> None:
        self.writes += 1
        if self.writes == self.fatal:
            raise Killed
        self.replace(source, target)


def test_a_run_killed_at_any_write_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, fatal = parse_recipe(RECIPE), 0
    whole = run_recipe(recipe, tmp_path / "whole")["student"]["test"]
    unlink = Path.unlink
    while True:
        fatal += 1
        path, counter = tmp_path / str(fatal), _Counter(fatal)
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", counter)
            # A killed process tidies nothing up.
            patched.setattr(
                files.Path, "unlink", lambda p, missing_ok=False: None if p.suffix == ".tmp" else unlink(p, missing_ok)
            )
            try:
                run_recipe(recipe, path)
            except Killed:
                pass
            else:
                break
        assert run_recipe(recipe, path, resume=True)["student"]["test"] == whole, fatal
        left = [
            p
            for p in path.rglob("*")
            if p.suffix == ".tmp" or p.name in ("lock", "study.lock", "checkpoint.safetensors")
        ]
        assert not left, (fatal, left)
    assert fatal > 8


def test_a_run_that_never_began_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = parse_recipe(RECIPE.replace("digits", "twitch-multi"))
    monkeypatch.delenv("GRAPHSTILL_DATA", raising=False)
    with pytest.raises(DataError):
        run_recipe(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    monkeypatch.chdir(tmp_path)
    from graphstill.cli.app import run

    Path("r.yaml").write_text(RECIPE.replace("digits", "twitch-multi"))
    assert run(["distill", "r.yaml"]) == 3
    assert not list(Path("runs").iterdir())


def test_stale_locks_and_checkpoints_of_finished_parts_go(tmp_path: Path) -> None:
    options = {"training": gs.Training(epochs=2), "directory": tmp_path / "run"}
    gs.train(gs.models.GCN(hidden=4), tiny_task(), **options)
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    lock = Lock(tmp_path / "run" / "lock").acquire()
    text = lock.path.read_text().replace(str(os.getpid()), str(dead.pid))
    for name in ("lock", "lock.takeover"):
        (tmp_path / "run" / name).write_text(text)
    (tmp_path / "run" / "checkpoint.safetensors").write_bytes(b"")
    (tmp_path / "run" / ".result.json.abc.tmp").write_bytes(b"")
    gs.train(gs.models.GCN(hidden=4), tiny_task(), resume=True, **options)
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        "lock.takeover", "result.json", "weights.safetensors", "metrics.jsonl",
    }  # fmt: skip
    lock.path.write_text(text)
    with Lock(lock.path):
        pass
    assert not lock.path.exists() and not (tmp_path / "run" / "lock.takeover").exists()


def test_the_recipe_of_a_run_that_began_stays(tmp_path: Path) -> None:
    def begin() -> None:
        with run_directory(tmp_path / "run", "name: x\n") as path:
            (path / "student").mkdir()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        begin()
    assert (tmp_path / "run" / "recipe.yaml").exists()


GRID = """
name: long
recipe:
  student: {name: gcn, hidden: 2}
  training: {epochs: 1000000, checkpoint_seconds: 0.1}
  seeds: 1
  baseline: false
tasks: {a: {task: digits}, b: {task: {name: digits, seed: 1}}, c: {task: {name: digits, seed: 2}}}
methods: {plain: {method: independent}}
"""


def test_an_interrupted_study_of_two_processes_ends(tmp_path: Path) -> None:
    (tmp_path / "grid.yaml").write_text(GRID)
    command = [sys.executable, "-c", "from graphstill.cli import main; main()", "study", "grid.yaml", "--jobs", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    folder = tmp_path / "runs" / "long"
    while process.poll() is None and len(list(folder.rglob("checkpoint.safetensors"))) < 2:
        pass
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Go on with: graphstill study grid.yaml" in errors, errors
    deadline = time.monotonic() + 60
    while left := [p for p in psutil.pids() if _group(p) == process.pid]:
        assert time.monotonic() < deadline, f"processes {left} outlive their study"
        time.sleep(0.1)  # multiprocessing's own helper ends by itself; a worker never would


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
