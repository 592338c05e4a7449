"""Recycling buffers: taken up where the C library is glibc, and training is the same."""

from __future__ import annotations

import platform
import subprocess
import sys

import torch

from graphstill.allocator import KEPT, expect_buffers, recycle_large_buffers
from graphstill.engine import Training, train
from graphstill.nn import GAT, GCN
from tests.tiny import tiny_task

GLIBC = platform.libc_ver()[0] == "glibc"

# In a process of its own: what malloc was told is not taken back.
FAULTS = """
import resource, torch
from graphstill import allocator

def faults(buffers=20):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(buffers):
        torch.empty(12_000_000).fill_(1.0)  # 46 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
alone = allocator.expect_buffers(allocator.KEPT)
asked, default = allocator.recycle_large_buffers(), faults()
small, large = allocator.expect_buffers(allocator.KEPT - 1), allocator.expect_buffers(allocator.KEPT)
faults()  # grows the heap
print(alone, asked, small, large, faults() < default / 5)
"""


def test_results_do_not_depend_on_it() -> None:
    before = train(GCN(hidden=4), tiny_task(), training=Training(epochs=3))
    assert recycle_large_buffers(64) == GLIBC
    after = train(GCN(hidden=4), tiny_task(), training=Training(epochs=3))
    assert before.result["history"] == after.result["history"]
    assert torch.isfinite(torch.empty(2**20).fill_(1.0)).all()


def test_buffers_of_every_size_are_kept_where_they_are_expected() -> None:
    found = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True).stdout.split()
    assert found == ["False", *(["True", "False", "True", "True"] if GLIBC else ["False"] * 4)]


def test_what_a_network_expects() -> None:
    graph = tiny_task().full_batch().graph
    cohort = GAT(hidden=4, heads=2).build(8, 3, [0, 1])
    assert cohort.largest_buffer(graph) == 2 * graph.num_nodes * 8 * 4
    cohort.execution = "looped"
    assert cohort.largest_buffer(graph) == graph.num_nodes * 8 * 4 < KEPT
    assert not expect_buffers(cohort.largest_buffer(graph))
