"""ConSE and ridge regression: fixture Z2; scores of rows with a bias."""

from __future__ import annotations

import pytest
import torch

from graphstill.errors import ConfigError
from graphstill.ops import class_scores, conse, ridge_rows

ROOT = 0.5**0.5
SEEN = torch.tensor([[1, 0], [0, 1], [ROOT, ROOT]], dtype=torch.float64)
UNSEEN = torch.tensor([[2.0, 1], [-1, 1]], dtype=torch.float64)
P = torch.tensor([[0.6, 0.3, 0.1]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("top", "expected"), [(1, [0.894427, -0.707107]), (2, [1, -0.316228]), (3, [0.999148, -0.276811])]
)
def test_fixture_of_conse(top: int, expected: list[float]) -> None:
    assert conse(P, SEEN, UNSEEN, top)[0].tolist() == pytest.approx(expected, abs=1e-6)
    both = conse(torch.stack([P, P.flip(-1)]), SEEN, UNSEEN, top)
    assert both.shape == (2, 1, 2) and both[0, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_fixture_of_ridge() -> None:
    x = torch.tensor([[1.0, 0], [0, 1], [1, 1]], dtype=torch.float64)
    rows = torch.nn.functional.normalize(x)
    found = ridge_rows(x, rows, UNSEEN[:1], 1.0)
    assert found[0].tolist() == pytest.approx([1.155330, 0.655330], abs=1e-6)
    several = ridge_rows(x, torch.stack([rows, 2 * rows]), UNSEEN[:1], 1.0)
    torch.testing.assert_close(several, torch.stack([found, 2 * found]))
    # Without a penalty to speak of, what is a linear map of the words is found again.
    linear = torch.tensor([[1.0, 2], [3, 4]], dtype=torch.float64)
    torch.testing.assert_close(ridge_rows(x, x @ linear, UNSEEN, 1e-9), UNSEEN @ linear, rtol=1e-6, atol=1e-6)


def test_scores_are_those_of_a_linear_layer() -> None:
    features, layer = torch.randn(4, 3), torch.nn.Linear(3, 5)
    rows = torch.cat([layer.weight, layer.bias[:, None]], 1).detach()
    torch.testing.assert_close(class_scores(features, rows[None])[0], layer(features).detach())


def test_options_out_of_range() -> None:
    for top in (0, 4):
        with pytest.raises(ConfigError, match=f"top={top} in conse: pass a number from 1 to 3"):
            conse(P, SEEN, UNSEEN, top)
    with pytest.raises(ConfigError, match="penalty=0"):
        ridge_rows(SEEN, SEEN, UNSEEN, 0.0)
