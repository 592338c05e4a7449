"""The search for similar pairs against a sort of all of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from graphstill.errors import ConfigError
from graphstill.ops import pairs, similar_pairs

ALL = 2**20


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def as_set(found: Tensor) -> set[tuple[int, int]]:
    distinct = {(int(i), int(j)) for i, j in found.t()}
    assert len(distinct) == found.shape[1] and all(i < j for i, j in distinct)
    return distinct


def every_pair(x: Tensor) -> tuple[Tensor, Tensor]:
    """All pairs [2, n] from the most similar on, and their cosines, one by one."""
    found = torch.combinations(torch.arange(len(x)), 2).t()
    cosine = torch.nn.functional.cosine_similarity(x[found[0]], x[found[1]])
    order = cosine.argsort(descending=True)
    return found[:, order], cosine[order]


@pytest.mark.parametrize("block", [1, 90, 2**20])
@pytest.mark.parametrize(("most", "least"), [(1, 1), (12, 50), (300, 3)])
def test_equals_a_sort_of_all_pairs(monkeypatch: pytest.MonkeyPatch, block: int, most: int, least: int) -> None:
    """In blocks of one row, of a few (the last one smaller), and of all."""
    monkeypatch.setattr(pairs, "BLOCK", block)
    x = torch.randn(31, 6, generator=generator(1))
    ranked, cosine = every_pair(x)
    # Neighbours in rank differ by more than what breaks ties, or the sets could differ.
    for cut in (most, len(cosine) - least):
        assert cosine[cut - 1] - cosine[cut] > 2 * pairs.TIE_BREAK
    found = similar_pairs(x, most, least, ALL, generator())
    assert as_set(found.most) == as_set(ranked[:, :most])
    assert as_set(found.least) == as_set(ranked[:, -least:])
    assert tuple(found.most[:, 0].tolist()) == tuple(ranked[:, 0].tolist())
    assert tuple(found.least[:, 0].tolist()) == tuple(ranked[:, -1].tolist())


def test_more_than_there_are_is_all_of_them() -> None:
    found = similar_pairs(torch.eye(4), 100, 100, ALL, generator())
    assert as_set(found.most) == as_set(found.least) and found.most.shape == (2, 6)
    alone = similar_pairs(torch.ones(1, 3), 2, 2, ALL, generator())
    assert alone.most.shape == alone.least.shape == (2, 0)


def test_what_is_held_does_not_grow_with_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "BLOCK", 400)
    held: list[int] = []
    add = pairs._Smallest.add

    def watched(self: pairs._Smallest, *given: object) -> None:
        add(self, *given)  # type: ignore[arg-type]
        held.append(sum(map(len, self.codes)))

    monkeypatch.setattr(pairs._Smallest, "add", watched)
    similar_pairs(torch.randn(200, 4, generator=generator()), 300, 500, ALL, generator())
    assert len(held) == 200 and max(held) <= 2 * 500


def test_rows_of_zeros_are_like_no_other() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 0.1], [1.0, 0.2]])
    found = similar_pairs(x, 3, 3, ALL, generator())
    assert as_set(found.most) == {(0, 2), (0, 3), (2, 3)}
    assert as_set(found.least) == {(0, 1), (1, 2), (1, 3)}


def test_ties_are_taken_at_random_and_repeatably() -> None:
    """All cosines 0: pairs of early rows are not preferred, in whichever block they come."""
    x = torch.eye(60)
    found = [similar_pairs(x, 400, 400, ALL, generator(seed)).least for seed in (0, 0, 1)]
    assert as_set(found[0]) == as_set(found[1]) != as_set(found[2])
    expected = torch.combinations(torch.arange(60), 2).double().mean()
    assert abs(float(found[0].double().mean() - expected)) < 2.0


def test_a_bound_leaves_a_sample_of_the_least_similar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "BLOCK", 2000)
    x = torch.randn(200, 5, generator=generator(2))
    ranked, _ = every_pair(x)
    pool = as_set(ranked[:, -8000:])
    found = as_set(similar_pairs(x, 10, 8000, 1000, generator()).least)
    assert len(found) == 1000
    # The bound is met by looking at an eighth of the pairs: their smallest reach about as far as the whole pool's.
    assert len(found & pool) > 900
    assert len(found & as_set(ranked[:, -1000:])) < 250


def test_a_bound_counts_against_the_pairs_that_there_are() -> None:
    x = torch.randn(60, 3, generator=generator())
    assert 500 < similar_pairs(x, 1, 10**9, 600, generator()).least.shape[1] <= 600


@pytest.mark.parametrize("numbers", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_numbers_below_one(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ConfigError, match=r"similar_pairs.*at least 1"):
        similar_pairs(torch.eye(3), *numbers, generator())


def test_features_of_the_wrong_shape() -> None:
    with pytest.raises(ConfigError, match=r"\[2, 3, 3\].*\[nodes, features\]"):
        similar_pairs(torch.ones(2, 3, 3), 1, 1, 1, generator())
