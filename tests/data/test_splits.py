import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphstill.data import Split, per_class_split, random_split
from graphstill.data.choose import PublicSplits, make_split
from graphstill.data.splits import stream
from graphstill.errors import ConfigError, DataError


def parts(split):
    return [part.tolist() for part in (split.train, split.val, split.test)]


def ids(three):
    return [node for part in three for node in part]


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 200), st.floats(0.1, 0.5), st.floats(0.1, 0.4), st.integers(0, 2**40))
def test_a_random_split_uses_every_node_once(nodes, train, val, seed):
    try:
        split = random_split(nodes, train, val, seed)
    except DataError:
        assert round(train * nodes) + round(val * nodes) >= nodes or round(val * nodes) < 1 or round(train * nodes) < 1
        return
    assert sorted(ids(parts(split))) == list(range(nodes))
    assert len(split.train) == round(train * nodes) and len(split.val) == round(val * nodes)


def test_counts_and_shares_ask_for_the_same():
    assert parts(random_split(40, 0.5, 0.25, 3)) == parts(random_split(40, 20, 10, 3))


def test_a_random_split_draws_only_from_the_nodes_it_may():
    split = random_split(30, 4, 3, seed=1, test=2, among=torch.arange(10, 20))
    assert [len(part) for part in parts(split)] == [4, 3, 2]
    assert set(ids(parts(split))) <= set(range(10, 20))


def test_splits_stay_the_same_for_ever():
    """A changed random stream would silently change every recipe's split: these are values of the first release."""
    assert parts(random_split(10, 3, 3, seed=0)) == RANDOM
    assert parts(per_class_split(torch.tensor([0, 1] * 5), 2, 1, seed=0)) == PER_CLASS


RANDOM = [[0, 3, 6], [5, 8, 9], [1, 2, 4, 7]]
PER_CLASS = [[2, 6, 7, 9], [0, 1], [3, 4, 5, 8]]


def test_a_split_depends_on_its_seed_and_on_no_global_state():
    y = torch.arange(100) % 4
    for draw in (lambda seed: random_split(100, 0.5, 0.25, seed), lambda seed: per_class_split(y, 5, 5, seed)):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        first = parts(draw(0))
        torch.manual_seed(99)
        assert parts(draw(0)) == first
        assert parts(draw(1)) != first
        torch.set_rng_state(before[0])
        assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_streams_of_different_purposes_are_unrelated():
    draws = [
        stream(0, purpose, *numbers).permutation(50).tolist()
        for purpose, *numbers in (("a",), ("b",), ("a", 1), ("a", 2))
    ]
    assert len({tuple(draw) for draw in draws}) == 4


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_a_seed_is_a_whole_number(seed):
    with pytest.raises(ConfigError, match="a seed is a whole number"):
        random_split(10, seed=seed)


def test_a_per_class_split_takes_equally_many_of_each_class_and_no_unlabelled_node():
    y = torch.cat([torch.arange(60) % 3, torch.full((7,), -1)])
    split = per_class_split(y, train=4, val=6, seed=5)
    assert torch.bincount(y[split.train]).tolist() == [4, 4, 4]
    assert torch.bincount(y[split.val]).tolist() == [6, 6, 6]
    assert torch.bincount(y[split.test]).tolist() == [10, 10, 10]
    assert sorted(ids(parts(split))) == list(range(60))


def test_masks_and_ids_make_the_same_split():
    masks = [torch.zeros(6, dtype=torch.bool) for _ in range(3)]
    for mask, ids in zip(masks, ([3, 1], [0], [5, 4]), strict=True):
        mask[ids] = True
    assert parts(Split(*masks)) == parts(Split([3, 1], np.array([0]), torch.tensor([5, 4]))) == [[1, 3], [0], [4, 5]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([0, 1], [1], [2]), "are in both train and val"),
        (([0], [1], [1, 0]), "are in both train and test"),
        (([], [1], [2]), "train of split 'custom' is empty"),
        (([0], [], [2]), "val of split 'custom' is empty"),
        (([0], [1], torch.zeros(4, dtype=torch.bool)), "test of split 'custom' is empty"),
        (([-1], [1], [2]), "node -1 in train"),
        (([0], [1, 1], [2]), "node 1 is there more than once in val"),
        (([0.0], [1], [2]), "give a boolean mask"),
        (([0], [[1]], [2]), "give a boolean mask"),
        ((["a"], [1], [2]), "not numbers"),
    ],
)
def test_a_wrong_split_is_refused(given, message):
    with pytest.raises(DataError, match=message):
        Split(*given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": 8, "val": 2}, "leave no room in random_split"),
        ({"train": 6, "val": 2, "test": 3}, "leave no room in random_split"),
        ({"train": 0, "val": 2}, "train=0 of 10 labelled nodes"),
        ({"train": 2, "val": 1.0}, "val=1.0 of 10 labelled nodes"),
        ({"train": 0.01, "val": 0.5}, "train=0.01 of 10 labelled nodes"),
    ],
)
def test_impossible_sizes_of_a_random_split_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        random_split(10, **options)


@pytest.mark.parametrize(
    ("y", "sizes", "message"),
    [
        (torch.tensor([0] * 9 + [1] * 3), (2, 1), "class 1 has 3 nodes"),
        (torch.tensor([0, 1] * 9), (0, 1), "at least one node a class"),
        (torch.zeros(5, 3), (1, 1), "use random_split for multi-label data"),
    ],
)
def test_impossible_per_class_splits_are_refused(y, sizes, message):
    with pytest.raises(DataError, match=message):
        per_class_split(y, *sizes)


TEN = PublicSplits(*(torch.eye(12, 10, dtype=torch.bool).roll(shift, 0) for shift in range(3)))
Y = torch.arange(12) % 2


def test_one_of_several_public_splits_is_chosen_by_number():
    assert parts(make_split(4, Y, TEN)) == [[4], [5], [6]]
    assert make_split(4, Y, TEN).name == "public 4 of 10"
    assert parts(make_split(None, Y, TEN)) == parts(make_split("public", Y, TEN)) == parts(make_split(0, Y, TEN))


def test_a_part_with_one_mask_has_it_in_all_public_splits():
    public = PublicSplits(TEN.train, TEN.val, torch.arange(12) == 11)
    assert parts(make_split(1, Y, public)) == [[1], [2], [11]]


def test_drawn_splits_take_sizes_and_only_labelled_nodes():
    y = torch.where(torch.arange(40) < 30, torch.arange(40) % 2, -1)
    assert parts(make_split("random", y, seed=2, train=0.5, val=5)) == parts(
        random_split(40, 15, 5, 2, among=torch.arange(30))
    )
    assert parts(make_split("per-class", y, seed=2, train=5, val=4)) == parts(per_class_split(y, 5, 4, 2))
    labels = torch.ones(20, 3)
    labels[15:] = torch.nan
    assert max(ids(parts(make_split("random", labels)))) == 14


@pytest.mark.parametrize(
    ("split", "public", "sizes", "message"),
    [
        ("publik", TEN, {}, "did you mean 'public'"),
        ("halves", TEN, {}, "no split is called 'halves'; known: per-class, public, random"),
        (10, TEN, {}, "public split 10 does not exist: the data has 10"),
        (-1, TEN, {}, "public split -1 does not exist"),
        (None, None, {}, "give split='per-class', split='random', or a Split"),
        (None, PublicSplits(TEN.train, None, None), {}, r"val, test missing of train, val and test masks"),
        (None, PublicSplits(TEN.train, TEN.val[:, :3], TEN.test), {}, "equally many splits"),
        ("public", TEN, {"train": 3}, "its sizes are fixed"),
        ("per-class", None, {"train": 0.5}, "whole numbers of nodes a class"),
    ],
)
def test_a_split_that_is_not_there_is_refused(split, public, sizes, message):
    with pytest.raises(DataError, match=message):
        make_split(split, Y, public, **sizes)
