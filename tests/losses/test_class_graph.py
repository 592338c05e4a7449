"""Rows of a classifier from a class graph: fixture Z1, and what leaves them alone."""

from __future__ import annotations

import pytest
import torch

from graphstill.losses import weight_regression

ROWS = torch.tensor([[[3.0, 4], [0, 2]]], dtype=torch.float64)
FOUND = torch.tensor([[[0.6, 0.8], [0.8, 0.6]]], dtype=torch.float64)


def test_fixture() -> None:
    assert weight_regression(ROWS, FOUND).item() == pytest.approx(0.2, abs=1e-6)
    assert weight_regression(ROWS, FOUND, graph_classes=4).item() == pytest.approx(1.6, abs=1e-6)


def test_it_is_the_mean_of_one_less_the_cosine_and_lengths_do_not_matter() -> None:
    rows, found = torch.randn(1, 7, 5, dtype=torch.float64), torch.randn(3, 7, 5, dtype=torch.float64)
    expected = 1 - torch.cosine_similarity(rows, found, dim=-1).mean(-1)
    torch.testing.assert_close(weight_regression(rows, found), expected)
    torch.testing.assert_close(weight_regression(9 * rows, 0.1 * found), expected)
    assert weight_regression(rows, 4 * rows).item() == pytest.approx(0, abs=1e-12)
    # The graph's size enters with its square, over and above the number of seen classes.
    torch.testing.assert_close(weight_regression(rows, found, 21), expected * 7 * 9)


def test_no_gradient_into_the_classifier() -> None:
    rows, found = ROWS.clone().requires_grad_(), FOUND.clone().requires_grad_()
    weight_regression(rows, found).sum().backward()
    assert rows.grad is None and found.grad is not None and found.grad.any()
