"""Recycling buffers: taken up where the C library is glibc, and training is the same."""

from __future__ import annotations

import platform

import torch

from graphstill.allocator import recycle_large_buffers
from graphstill.engine import Training, train
from graphstill.nn import GCN
from tests.tiny import tiny_task


def test_results_do_not_depend_on_it() -> None:
    before = train(GCN(hidden=4), tiny_task(), training=Training(epochs=3))
    assert recycle_large_buffers(64) == (platform.libc_ver()[0] == "glibc")
    after = train(GCN(hidden=4), tiny_task(), training=Training(epochs=3))
    assert before.result["history"] == after.result["history"]
    assert torch.isfinite(torch.empty(2**20).fill_(1.0)).all()
