"""Memory that cannot suffice is refused first; systems without POSIX's modules are no hindrance."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphstill as gs
from graphstill.engine import memory
from graphstill.errors import ConfigError
from tests.tiny import tiny_task


def test_what_cannot_fit_is_refused_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tiny_task()
    needed = memory.least_bytes([gs.models.GCN(hidden=64)], task, 3, None)
    parameters = gs.models.GCN(hidden=64).parameters_count(task.in_features, 3)
    assert needed == 3 * (5 * 4 * parameters + 2 * 4 * 120 * 3)
    monkeypatch.setattr(memory, "available_bytes", lambda: needed - 1)
    with pytest.raises(ConfigError, match=r"3 members of GCN.*GB are free: train fewer seeds.*walk_roots"):
        gs.train(gs.models.GCN(hidden=64), task, seeds=3)
    monkeypatch.setattr(memory, "available_bytes", lambda: needed)
    gs.train(gs.models.GCN(hidden=64), task, seeds=3, training=gs.Training(epochs=1))


def test_widths_that_no_machine_holds() -> None:
    with pytest.raises(ConfigError, match=r"GB are free|cannot be made"):
        gs.train(gs.models.GCN(hidden=2**20, layers=60), tiny_task())


@pytest.mark.parametrize(
    "text", ["[enforce fail] DefaultCPUAllocator: can't allocate memory: 99 bytes", "std::bad_alloc"]
)
def test_an_allocation_that_fails_is_told(text: str) -> None:
    with pytest.raises(ConfigError, match=r"memory did not suffice .*walk_roots"), memory.told():
        raise RuntimeError(text)
    with pytest.raises(RuntimeError, match="something else"), memory.told():
        raise RuntimeError("something else")
    with pytest.raises(ConfigError, match="memory did not suffice"), memory.told():
        raise MemoryError


def test_free_memory_is_a_number_within_the_machine() -> None:
    import psutil

    assert 0 < memory.available_bytes() <= psutil.virtual_memory().total


def test_training_without_the_modules_of_posix() -> None:
    code = (
        "import sys\n"
        "for name in ('resource', 'fcntl', 'pwd', 'grp', 'termios'): sys.modules[name] = None\n"
        "import graphstill as gs\n"
        "run = gs.train(gs.models.GCN(hidden=2), gs.datasets.load('digits'), training=gs.Training(epochs=1))\n"
        "assert 20 < run.result['cost']['peak_memory_mb'] < 20_000\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
