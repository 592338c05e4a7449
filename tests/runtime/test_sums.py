"""Sums over rows of any lengths, and the steps on graphs against those that training uses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphstill import ops
from graphstill.nn.weighted import gcn_weighted, mean_weighted, unweighted
from graphstill.ops import Adjacency
from graphstill.runtime import Graph, jagged
from graphstill.runtime.jagged import Jagged
from graphstill.runtime.ops import attend, propagate
from tests.runtime.folders import Array, graphs

CLOSE: Any = {"rtol": 1e-4, "atol": 1e-5}


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    width=st.integers(1, 5),
    block=st.sampled_from([1, 64, 1 << 19]),
    chunk=st.sampled_from([2, 4096]),
    hub=st.sampled_from([0.0, 2.0, 1e9]),
)
def test_sums_of_rows(lengths: list[int], width: int, block: int, chunk: int, hub: float) -> None:
    """However rows are cut into hubs, chunks and blocks."""
    draw = np.random.default_rng(0)
    ptr = np.concatenate([[0], np.cumsum(lengths)])
    index, values = draw.integers(0, 4, ptr[-1]), draw.standard_normal(ptr[-1]).astype(np.float32)
    table = draw.standard_normal((4, width)).astype(np.float32)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("BLOCK", block), ("CHUNK", chunk), ("HUB", hub)):
            patch.setattr(jagged, name, value)
        for weights in (None, values):
            expected = np.zeros((len(lengths), width))
            np.add.at(expected, rows, table[index] * (1 if weights is None else values[:, None]))
            laid_out = Jagged(ptr, index, weights)
            np.testing.assert_allclose(laid_out.sum(table), expected[laid_out.order], **CLOSE)


def star(leaves: int = 300) -> Array:
    """Everything points at node 0, which is a hub, and it back at two."""
    return np.array([[*range(1, leaves), 0, 0], [0] * (leaves - 1) + [1, 2]])


def test_a_star_has_one_hub() -> None:
    assert Graph(star(), 300).whole.jagged(300, False).hubs == 1


@pytest.mark.parametrize("norm", ["gcn", "mean", "sum"])
@pytest.mark.parametrize("self_loops", [True, False])
@settings(max_examples=25, deadline=None)
@given(data=graphs())
def test_propagate_is_what_training_does(norm: str, self_loops: bool, data: Any) -> None:
    for x, edges in (data, (np.ones((300, 3), np.float32), star())):
        adjacency = Adjacency.from_edge_index(torch.as_tensor(edges), len(x))
        adjacency = adjacency.with_self_loops() if self_loops else adjacency
        h = np.cumsum(x, axis=0, dtype=np.float32)
        tensor = torch.from_numpy(h)
        if norm == "sum":
            weighted = unweighted(adjacency)
        else:
            weighted = (gcn_weighted if norm == "gcn" else mean_weighted)(adjacency, torch.float32)
        ours = propagate(Graph(edges, len(x)).whole, h, len(x), norm, self_loops)
        np.testing.assert_allclose(ours, weighted.aggregate(tensor[None])[0].numpy(), **CLOSE)


@pytest.mark.parametrize("self_loops", [True, False])
@pytest.mark.parametrize("spread", [1.0, 200.0])
@settings(max_examples=25, deadline=None)
@given(data=graphs())
def test_attend_is_what_training_does(self_loops: bool, spread: float, data: Any) -> None:
    """Also with scores whose exponentials do not fit float32."""
    for nodes, edges in ((len(data[0]), data[1]), (300, star())):
        adjacency = Adjacency.from_edge_index(torch.as_tensor(edges), nodes)
        adjacency = adjacency.with_self_loops() if self_loops else adjacency
        draw = np.random.default_rng(1)
        h = draw.standard_normal((nodes, 6)).astype(np.float32)
        source, target = (spread * draw.standard_normal((2, nodes, 2))).astype(np.float32)
        s, t, value = (torch.from_numpy(array)[None] for array in (source, target, h.reshape(nodes, 2, 3)))
        theirs = ops.attend(adjacency, s, t, value, 0.2)
        ours = attend(Graph(edges, nodes).whole, h, source, target, nodes, 0.2, self_loops)
        np.testing.assert_allclose(ours, theirs[0].flatten(1).numpy(), rtol=1e-3, atol=1e-4)
