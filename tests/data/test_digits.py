import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import graphstill.datasets
from graphstill.data.digits import digits_arrays
from graphstill.errors import ConfigError


def test_digits_are_those_of_scikit_learn():
    task = graphstill.datasets.load("digits")
    assert (task.num_nodes, task.in_features, task.num_outputs, task.num_edges) == (1797, 64, 10, 12618)
    assert torch.equal(task.x, torch.from_numpy(load_digits().data / 16).float())
    assert task.x.min() == 0 and task.x.max() == 1
    shown = torch.cat([task.train_index, task.val_index])
    assert torch.equal(task.y[shown], torch.from_numpy(load_digits().target)[shown])


@pytest.mark.parametrize("k", [1, 7])
def test_the_graph_joins_nearest_neighbours_in_both_directions(k):
    given = digits_arrays(k)
    source, target = given.edge_index.numpy()
    pairs = set(zip(source.tolist(), target.tolist(), strict=True))
    assert len(pairs) == len(source)
    assert all((b, a) in pairs and a != b for a, b in pairs)
    pixels = load_digits().data
    nearest = NearestNeighbors(n_neighbors=k + 1).fit(pixels).kneighbors(pixels)[0][:, 1:]
    for node in range(0, 1797, 97):
        neighbours = np.sort(np.linalg.norm(pixels[target[source == node]] - pixels[node], axis=1))
        assert neighbours[:k] == pytest.approx(nearest[node])  # its own choices; others may have chosen it too


def test_split_sizes_seed_and_neighbours_are_arguments():
    load = graphstill.datasets.load
    default = load("digits")
    assert [len(default.train_index), len(default.val_index), len(default.test_index)] == [200, 300, 1297]
    assert default.split == "per-class(train=20, val=30, seed=0)"
    few = load("digits", train=3, val=10, seed=4)
    assert torch.bincount(few.y[few.train_index]).tolist() == [3] * 10
    assert torch.bincount(few.y[few.val_index]).tolist() == [10] * 10
    random = load("digits", split="random", train=0.1, val=100)
    assert [len(random.train_index), len(random.val_index)] == [180, 100]
    hashes = {
        load("digits", **options).hash for options in ({}, {"seed": 1}, {"k": 6}, {"inductive": True}, {"train": 10})
    }
    assert len(hashes) == 5 and load("digits", k=5).hash == default.hash


def test_the_graph_is_the_same_on_every_machine():
    """Whole-number distances and ties by number: not a bit may differ, or teachers would be refused elsewhere."""
    assert graphstill.datasets.load("digits").hash == FIRST_RELEASE


FIRST_RELEASE = "cd91a9441229c62da46feac0c8298c9a0309f80aa112f2454a650c83becdfa82"


@pytest.mark.parametrize("k", [0, 1797])
def test_an_impossible_number_of_neighbours_is_refused(k):
    with pytest.raises(ConfigError, match=f"k={k} neighbours of digits: give a number from 1 to 1796"):
        graphstill.datasets.load("digits", k=k)
