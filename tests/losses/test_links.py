"""LLP's terms (fixture L3), ROD's and EHDM's (fixture L5), each as written and as released."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.losses import (
    cluster_probabilities,
    compactness,
    context_kl,
    context_pairs,
    context_rank,
    gate_size,
    gated_logits,
    released_probability,
    row_embeddings,
    score_bce,
    score_gate,
    score_similarity,
    softmax_kl,
)

T = torch.tensor([[[3.0, 1, -1, -2]]], dtype=torch.float64)
S = torch.tensor([[[1.0, 2, 0, -1]]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("temperature", "released", "expected"), [(1.0, True, 0.017835), (1.0, False, 0.876775), (2.0, False, 1.091034)]
)
def test_fixture_of_distributions(temperature: float, released: bool, expected: float) -> None:
    assert context_kl(T, S, temperature, released=released).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("margin", "released", "expected"),
    [(0.1, False, 0.041623), (0.1, True, 0.041623), (0.2, True, 0.091623), (0.2, False, 0.069948)],
)
def test_fixture_of_ranks(margin: float, released: bool, expected: float) -> None:
    assert context_rank(T, S, margin, released=released).item() == pytest.approx(expected, abs=1e-6)


def test_all_contexts_of_all_anchors_by_hand() -> None:
    t, s = torch.randn(1, 5, 6, dtype=torch.float64), torch.randn(3, 5, 6, dtype=torch.float64)
    torch.testing.assert_close(context_kl(t, s, 2.0), softmax_kl(t, s, 2.0))
    expected = torch.zeros(3, dtype=torch.float64)
    count = 0
    p, q = s.sigmoid(), t.sigmoid()
    for v in range(5):
        for a in range(6):
            for b in range(a):
                gap = (q[0, v, a] - q[0, v, b]).item()
                if abs(gap) > 0.15:
                    count += 1
                    sign = 1 if gap > 0 else -1
                    expected += (0.15 - sign * (p[:, v, a] - p[:, v, b])).clamp(min=0)
    assert 0 < count < 75
    torch.testing.assert_close(context_rank(t, s, 0.15), expected / count)


def test_contexts_that_do_not_count_are_as_if_they_were_not_there() -> None:
    t, s = torch.randn(1, 3, 6, dtype=torch.float64), torch.randn(2, 3, 6, dtype=torch.float64)
    kept = torch.tensor([[1, 1, 0, 1, 0, 1], [1, 1, 0, 1, 0, 1], [0] * 6]).bool()
    less = (x[:, :2, [0, 1, 3, 5]] for x in (t, s))
    t4, s4 = less
    torch.testing.assert_close(context_kl(t, s, kept=kept), context_kl(t4, s4))
    torch.testing.assert_close(context_kl(t, s, kept=kept, released=True), context_kl(t4, s4, released=True))
    torch.testing.assert_close(context_rank(t, s, 0.1, kept=kept), context_rank(t4, s4, 0.1))


def test_no_context_or_no_opinion_gives_nothing() -> None:
    s = torch.randn(2, 3, 4, requires_grad=True)
    none = torch.zeros(3, 4).bool()
    found = context_kl(s.detach()[:1], s, kept=none) + context_rank(s.detach()[:1], s, 0.1, kept=none)
    found = found + context_rank(torch.zeros(1, 3, 4), s, 0.1)
    found.sum().backward()
    assert found.tolist() == [0, 0] and s.grad is not None and not s.grad.any()


def test_pairs_of_contexts_are_drawn_once_each() -> None:
    drawn = context_pairs(30, 50, torch.Generator().manual_seed(0))
    assert drawn.shape == (2, 50) and (drawn[0] < drawn[1]).all() and drawn.unique(dim=1).shape == (2, 50)
    t, s = torch.randn(1, 4, 5), torch.randn(2, 4, 5)
    every = context_pairs(5, 99, torch.Generator())
    torch.testing.assert_close(context_rank(t, s, 0.1, every), context_rank(t, s, 0.1))
    parts = [context_rank(t, s, 0.0, every[:, i : i + 1]) for i in range(10)]
    torch.testing.assert_close(torch.stack(parts).mean(0), context_rank(t, s, 0.0))
    with pytest.raises(ConfigError, match="0 pairs of 4 contexts"):
        context_pairs(4, 0, torch.Generator())


def test_fixture_of_rod() -> None:
    s = torch.tensor([[[0.2], [0.5], [0.8]]], dtype=torch.float64)
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert score_gate(s, one, zero).item() == pytest.approx(0.513991, abs=1e-6)
    distances = torch.tensor([1.0, 2, 4], dtype=torch.float64)
    assert cluster_probabilities(distances, True).tolist() == pytest.approx([0.042010, 0.114195, 0.843795], abs=1e-6)
    assert cluster_probabilities(distances).tolist() == pytest.approx([0.705385, 0.259496, 0.035119], abs=1e-6)


def test_scores_of_links_against_plain_cross_entropy() -> None:
    s = torch.rand(2, 3, 8, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0.0, 1, 1, 0, 1, 0, 1, 1], dtype=torch.float64)
    scale, threshold = torch.tensor([5.0, 1.0]).double(), torch.tensor([0.5, 0.0]).double()

    def logits(m: int) -> Tensor:
        return scale[m] * (s[m] - threshold[m])

    plain = torch.stack([F.binary_cross_entropy_with_logits(logits(m), y.expand(3, 8)) * 3 for m in range(2)])
    torch.testing.assert_close(score_bce(s, y, scale, threshold), plain)
    weight = torch.where(y == 1, s, 1 - s).detach()
    weighted = [F.binary_cross_entropy_with_logits(logits(m), y.expand(3, 8), weight[m]) * 3 for m in range(2)]
    torch.testing.assert_close(score_bce(s, y, scale, threshold, weighted=True), torch.stack(weighted))
    of_students = y.expand(3, 8).clone()
    of_students[1, 2:], of_students[2] = torch.nan, torch.nan
    parts = score_bce(s[:, :1], y, scale, threshold) + score_bce(s[:, 1:2, :2], y[:2], scale, threshold)
    torch.testing.assert_close(score_bce(s, of_students, scale, threshold), parts)
    ensemble = score_gate(s, scale, threshold)
    assert not ensemble.requires_grad and ensemble.shape == (2, 8)
    assert score_bce(s, ensemble.unsqueeze(1), scale, threshold).isfinite().all()
    torch.testing.assert_close(score_similarity(s, s[0].detach())[0], torch.zeros((), dtype=torch.float64))


def test_embeddings_give_scores_from_0_to_1() -> None:
    z = row_embeddings(torch.randn(2, 9, 5))
    scores = z @ z.transpose(1, 2)
    assert scores.min() >= 0 and scores.max() <= 1 + 1e-6
    torch.testing.assert_close(z.square().sum(-1), torch.ones(2, 9))
    flat = torch.ones(3, 4, requires_grad=True)
    row_embeddings(flat).sum().backward()
    assert flat.grad is not None and flat.grad.isfinite().all()


def test_compact_clusters_are_better() -> None:
    distances = torch.rand(2, 3, 7, 4, dtype=torch.float64)
    own = distances.argmin(-1)
    best = compactness(distances, own)
    assert (best <= compactness(distances, (own + 1) % 4)).all()
    torch.testing.assert_close(best, (2 * distances.amin(-1) - distances.mean(-1)).mean(-1).sum(-1))


def test_fixture_of_gates() -> None:
    z = torch.tensor([[[0.9], [0.5], [0.1]]], dtype=torch.float64).logit()
    g = torch.tensor([[[1.0], [0.0], [-1.0]]], dtype=torch.float64)
    assert released_probability(gated_logits(z, None, "mean").sigmoid()).item() == pytest.approx(0.499501, abs=1e-6)
    together = gated_logits(z, g)
    assert together.sigmoid().item() == pytest.approx(0.730084, abs=1e-6)
    found = F.binary_cross_entropy_with_logits(together, torch.ones_like(together))
    assert found.item() == pytest.approx(0.314595, abs=1e-6)


def test_gates_of_each_kind() -> None:
    z, g = torch.randn(2, 3, 5, dtype=torch.float64), torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(gated_logits(z, g, "mean").sigmoid(), z.sigmoid().mean(1))
    torch.testing.assert_close(gated_logits(z, g).sigmoid(), (g.softmax(1) * z.sigmoid()).sum(1))
    torch.testing.assert_close(gated_logits(z, g, "sigmoid"), (g.sigmoid() * z).sum(1))
    sure = 80 * torch.sign(z.float())  # probabilities that float32 rounds to 0 and 1
    assert gated_logits(sure, g.float()).isfinite().all()
    closed = torch.full_like(g, -30.0)
    assert gate_size(closed).max() < 1e-9 < gate_size(g).min()
