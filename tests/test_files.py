"""Atomic files and locks, on their failing side."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from graphstill.environment import environment
from graphstill.errors import CheckpointError
from graphstill.files import atomic_write_bytes, atomic_write_json, atomic_write_text
from graphstill.lock import Lock


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = atomic_write_text(tmp_path / "deep" / "a.txt", "old")

    def refuse(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="disk full"):
        atomic_write_bytes(target, b"new")
    assert target.read_text() == "old"
    assert [file.name for file in target.parent.iterdir()] == ["a.txt"]


def test_json_round_trip_and_no_nan(tmp_path: Path) -> None:
    value = {"accuracy": [0.25, None], "name": "é"}
    assert json.loads(atomic_write_json(tmp_path / "a.json", value).read_text(encoding="utf-8")) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic_write_json(tmp_path / "a.json", {"accuracy": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == value


def test_written_files_are_readable_by_others_as_the_umask_says(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    assert atomic_write_text(tmp_path / "a", "x").stat().st_mode == plain.stat().st_mode


def test_a_lock_is_exclusive_and_released(tmp_path: Path) -> None:
    with Lock(tmp_path / "lock"):
        with pytest.raises(CheckpointError, match=rf"process {os.getpid()} on .*delete the lock file"):
            Lock(tmp_path / "lock").acquire()
        assert (tmp_path / "lock").exists()  # the refused one must not remove it
    assert not (tmp_path / "lock").exists()
    Lock(tmp_path / "lock").acquire().release()


def test_a_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    code = f"import os; from graphstill.lock import Lock; Lock({str(tmp_path / 'lock')!r}).acquire(); os._exit(1)"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert json.loads((tmp_path / "lock").read_text())["pid"] != os.getpid()
    with Lock(tmp_path / "lock"):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("owner", "stale"),
    [
        ({"pid": os.getpid(), "host": socket.gethostname(), "started": 1.0}, True),  # the id was used again
        ({"pid": 1, "host": "another-machine", "started": 1.0}, False),
        ({"pid": None, "host": None}, False),
    ],
)
def test_who_counts_as_dead(tmp_path: Path, owner: dict[str, object], stale: bool) -> None:
    (tmp_path / "lock").write_text(json.dumps(owner))
    if stale:
        Lock(tmp_path / "lock").acquire().release()
    else:
        with pytest.raises(CheckpointError, match="in use"):
            Lock(tmp_path / "lock").acquire()


def test_of_two_that_find_the_same_dead_owner_one_gets_it(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "started": 1.0}))
    (tmp_path / "lock.takeover").touch()  # the other one is at it
    with pytest.raises(CheckpointError, match=r"lock\.takeover"):
        Lock(tmp_path / "lock").acquire()


def test_environment_names_what_a_result_depends_on() -> None:
    found = environment()
    assert {"python", "torch", "torch_geometric", "numpy", "graphstill", "machine", "cpu", "cores", "threads"} <= set(
        found
    )
    assert found["threads"] == 1  # tests/conftest.py
    assert found["torch"]
    json.dumps(found)


def test_environment_does_not_import_torch() -> None:
    code = "import sys; from graphstill.environment import environment; environment(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
