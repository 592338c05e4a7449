"""The graph among the samples of a batch, and its encoder."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.method.parts import holistic
from graphstill.method.parts.holistic import GraphEncoder, mean_of_rows, nearest_predictions
from graphstill.nn.layers import initialise


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_neighbours() -> None:
    """Each row itself and the nearest others, k in all; in blocks as at once."""
    logits = normal(2, 30, 4)
    chosen = nearest_predictions(logits, 8, False)
    assert chosen.shape == (2, 30, 8)
    assert all(row.unique().numel() == 8 and i in row for rows in chosen for i, row in enumerate(rows))
    p = F.normalize(logits.softmax(-1), dim=-1)
    expected = (p @ p.transpose(1, 2)).topk(8).indices.sort().values
    assert torch.equal(chosen.sort().values, expected)
    same = torch.zeros(1, 30, 4)
    assert all(i in row for i, row in enumerate(nearest_predictions(same, 8, True)[0])), "self, though all are equal"


def test_neighbours_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = normal(2, 30, 4)
    whole = nearest_predictions(logits, 8, False).sort().values
    monkeypatch.setattr(holistic, "BLOCK", 100)
    assert torch.equal(nearest_predictions(logits, 8, False).sort().values, whole)


def test_encoder_is_a_graph_convolution_of_one_hop() -> None:
    """[e ; D^-1/2 A D^-1/2 e] U + c with A from the neighbours: in-degrees are k everywhere."""
    encoder = GraphEncoder(2, 5).double()
    initialise(encoder, [0, 1])
    e, chosen = normal(2, 30, 5), nearest_predictions(normal(2, 30, 4, seed=1), 8, False)
    out = encoder(e, mean_of_rows(e, chosen))
    for m in range(2):
        a = torch.zeros(30, 30, dtype=torch.float64).scatter(1, chosen[m], 1.0)
        degree = a.sum(1)
        assert (degree == 8).all()
        a = degree.rsqrt()[:, None] * a * degree.rsqrt()
        expected = torch.cat([e[m], a @ e[m]], 1) @ encoder.weight[m] + encoder.bias[m]
        torch.testing.assert_close(out[m], F.normalize(expected, dim=-1))
    wide = GraphEncoder(1, 200)
    initialise(wide, [0])
    assert wide.weight.std().item() == pytest.approx(math.sqrt(2 * 2 / 600), rel=0.02)


def test_encoder_does_not_depend_on_the_order() -> None:
    encoder = GraphEncoder(2, 5).double()
    initialise(encoder, [0, 1])
    e, z, order = normal(2, 30, 5), normal(2, 30, 4, seed=1), torch.randperm(30)

    def g(e: Tensor, z: Tensor) -> Tensor:
        found: Tensor = encoder(e, mean_of_rows(e, nearest_predictions(z, 8, False)))
        return found

    torch.testing.assert_close(g(e[:, order], z[:, order]), g(e, z)[:, order])
