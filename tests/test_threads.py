"""Threads: one where arrays are small, all where they are large or not known, and what a user set stays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from graphstill import threads
from graphstill.engine import Training, train
from graphstill.nn import GCN
from tests.tiny import tiny_task


@pytest.fixture(autouse=True)
def six_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(6)
    for name in threads.VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(threads, "_processes", None)
    threads._at_start.cache_clear()
    yield
    threads._at_start.cache_clear()
    torch.set_num_threads(before)


def test_a_thread_for_each_grain() -> None:
    assert threads.suit(1) is None and torch.get_num_threads() == 6  # nobody asked
    assert threads.adapt()
    sizes = {1: 1, threads.GRAIN: 1, 2 * threads.GRAIN: 2, 5 * threads.GRAIN + 1: 5, 99 * threads.GRAIN: 6, 0: 6}
    for size, number in sizes.items():
        assert threads.suit(size) == number == torch.get_num_threads()


def test_processes_share_the_cores() -> None:
    assert threads.adapt(processes=4)
    assert [threads.suit(size) for size in (1, 0)] == [1, 1]
    assert threads.adapt(processes=2)  # of the six cores, not of the one thread that the last run took
    assert [threads.suit(size) for size in (1, 99 * threads.GRAIN)] == [1, 3]


@pytest.mark.parametrize("name", threads.VARIABLES)
def test_what_a_user_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "6")
    assert not threads.adapt()
    assert threads.suit(1) is None and torch.get_num_threads() == 6


def test_a_run_of_small_arrays_takes_one() -> None:
    threads.adapt()
    run = train(GCN(hidden=4), tiny_task(), training=Training(epochs=2))
    assert torch.get_num_threads() == run.result["environment"]["threads"] == 1


def test_a_program_of_ones_own_asks_after_a_bare_import() -> None:
    """As docs/performance.md and docs/guide.md have it."""
    code = "import graphstill\ngraphstill.allocator.recycle_large_buffers()\nassert graphstill.threads.adapt()"
    environment = {k: v for k, v in os.environ.items() if k not in threads.VARIABLES}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
