"""Fixture L2, ties included; beside scikit-learn and a slow ranking."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from graphstill.data.metrics import (
    METRICS,
    candidate_mrr,
    hits_at,
    link_auc,
    link_average_precision,
    link_ranks,
    mean_reciprocal_rank,
    ranked_hits_at,
)
from graphstill.errors import DataError

POSITIVE = torch.tensor([[0.9, 0.7, 0.7, 0.2]], dtype=torch.float64)
NEGATIVE = torch.tensor([[0.8, 0.7, 0.5, 0.5, 0.1]], dtype=torch.float64)
OWN = torch.tensor([[[0.8, 0.7, 0.5], [0.7, 0.7, 0.1], [0.9, 0.7, 0.6], [0.1, 0.1, 0]]], dtype=torch.float64)


def test_fixture() -> None:
    assert [hits_at(POSITIVE, NEGATIVE, k).item() for k in (1, 2, 3, 5)] == [0.25, 0.25, 0.75, 1]
    assert link_auc(POSITIVE, NEGATIVE).item() == pytest.approx(0.65)
    assert link_average_precision(POSITIVE, NEGATIVE).item() == pytest.approx(0.675)
    assert link_ranks(POSITIVE, OWN).tolist() == [[1, 2, 2.5, 1]]
    assert mean_reciprocal_rank(POSITIVE, OWN).item() == pytest.approx(0.725)
    assert ranked_hits_at(POSITIVE, OWN, 1).item() == 0.5


def test_fewer_negatives_than_k_are_an_error_not_a_full_score() -> None:
    with pytest.raises(DataError, match="hits@6 against 5 negative pairs: draw at least 6"):
        hits_at(POSITIVE, NEGATIVE, 6)
    with pytest.raises(DataError, match="hits@0"):
        hits_at(POSITIVE, NEGATIVE, 0)


@pytest.mark.parametrize("seed", range(3))
def test_slow_references_ties_included(seed: int) -> None:
    g = torch.Generator().manual_seed(seed)
    positive, negative = (torch.randint(8, (2, n), generator=g).float() for n in (20, 31))
    own = torch.randint(8, (2, 20, 6), generator=g).float()
    for m in range(2):
        scores, y = torch.cat([positive[m], negative[m]]).numpy(), [1] * 20 + [0] * 31
        assert link_auc(positive, negative)[m].item() == pytest.approx(roc_auc_score(y, scores))
        assert link_average_precision(positive, negative)[m].item() == pytest.approx(average_precision_score(y, scores))
        bar = sorted(negative[m].tolist(), reverse=True)[4]
        above = sum(p > bar for p in positive[m].tolist())
        assert hits_at(positive, negative, 5)[m].item() == pytest.approx(above / 20)
        ranks = []
        for p, others in zip(positive[m].tolist(), own[m].tolist(), strict=True):
            first, last = sum(n > p for n in others) + 1, sum(n >= p for n in others) + 1
            ranks.append((first + last) / 2)
        assert link_ranks(positive, own)[m].tolist() == ranks
        assert mean_reciprocal_rank(positive, own)[m].item() == pytest.approx(sum(1 / r for r in ranks) / 20)


@pytest.mark.parametrize("metric", [link_auc, link_average_precision, mean_reciprocal_rank, link_ranks])
def test_what_cannot_be_scored_is_refused(metric) -> None:
    wrong = OWN if metric in (link_auc, link_average_precision) else NEGATIVE
    right = NEGATIVE if wrong is OWN else OWN
    for positive, negative in ((POSITIVE, wrong), (POSITIVE[:, :0], right[:, :0]), (POSITIVE[0], right)):
        with pytest.raises(DataError, match="do not go together"):
            metric(positive, negative)
    with pytest.raises(DataError, match="NaN"):
        metric(POSITIVE * torch.nan, right)


def test_by_name_from_labels_in_any_order() -> None:
    scores, y = torch.cat([POSITIVE, NEGATIVE], 1), torch.tensor([1] * 4 + [0] * 5)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(0))
    logits, labels = scores[:, order, None], y[order]
    for kind in (labels, labels.double(), labels.bool()):
        assert METRICS["link_auc"](logits, kind).item() == pytest.approx(0.65)
        assert METRICS["link_ap"](logits, kind).item() == pytest.approx(0.675)
        assert METRICS["hits@1"](logits, kind).item() == 0.25
    with pytest.raises(DataError, match="hits@10 against 5"):
        METRICS["hits@10"](logits, labels)
    for wrong_logits, wrong in ((logits.expand(-1, -1, 2), labels), (logits, labels - 1), (logits, labels * torch.nan)):
        with pytest.raises(DataError, match="one logit a pair, and labels 0 and 1"):
            METRICS["link_auc"](wrong_logits, wrong)
    with pytest.raises(DataError, match="none of them empty"):
        METRICS["link_auc"](logits, torch.ones(9))


def test_candidates_are_own_negatives() -> None:
    y = torch.tensor([0, 3, 1, 2])
    rows = [torch.cat([o[:at], p[None], o[at:]]) for p, o, at in zip(POSITIVE[0], OWN[0], y, strict=True)]
    candidates = torch.stack(rows)
    assert METRICS["mrr"](candidates[None], y).item() == pytest.approx(0.725)
    both = torch.stack([candidates, candidates.flip(0)])
    torch.testing.assert_close(candidate_mrr(both, y)[0], mean_reciprocal_rank(POSITIVE, OWN)[0])
    with pytest.raises(DataError, match="none of them empty"):
        candidate_mrr(torch.zeros(1, 2, 1), torch.tensor([0, 0]))
