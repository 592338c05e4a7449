"""Named data as it is: the embedded digits, and what is in the local root where GRAPHSTILL_DATA names one."""

import os

import pytest
import torch

from graphstill.datasets import load, names
from graphstill.ops.sparse_features import SparseFeatures

# nodes, stored edges, features, classes, training / validation / test nodes, whether features are kept sparse
SIZES = {
    "digits": (1797, 2 * 6309, 64, 10, 200, 300, 1297, False),
    "cora": (2708, 2 * 5278, 1433, 7, 140, 500, 1000, True),
    "citeseer": (3327, 2 * 4552, 3703, 6, 120, 500, 1000, True),
    "pubmed": (19717, 2 * 44324, 500, 3, 60, 500, 1000, True),
    "amazon-computers": (13752, 2 * 245861, 767, 10, 200, 300, 13252, False),
    "amazon-photo": (7650, 2 * 119081, 745, 8, 160, 240, 7250, False),
    "coauthor-cs": (18333, 2 * 81894, 6805, 15, 300, 450, 17583, True),
    "coauthor-physics": (34493, 2 * 247962, 8415, 5, 100, 150, 34243, True),
    "chameleon-filtered": (890, 2 * 8854, 2325, 5, 409, 287, 194, True),
    "squirrel-filtered": (2223, 2 * 46998, 2089, 5, 1053, 718, 452, True),
    "tolokers": (11758, 2 * 519000, 10, 2, 5879, 2939, 2940, False),
    "twitch-multi": (36890, 2 * 492575, 3170, 2, 9498, 7126, 20266, True),
    "wordnet30": (117659, 2 * 183789, 3863, 45, 900, 450, 116309, True),
}
ROOT = os.environ.get("GRAPHSTILL_DATA")


def there(name):
    return name == "digits" or any(
        os.path.isfile(os.path.join(str(ROOT), *folder, f"{name}.npz")) for folder in ([], ["graphs"])
    )


@pytest.mark.parametrize("name", [name for name in SIZES if there(name)])
def test_published_sizes(name):
    task = load(name)
    sizes = (task.num_nodes, task.num_edges, task.in_features, task.num_outputs)
    parts = tuple(len(index) for index in (task.train_index, task.val_index, task.test_index))
    assert (*sizes, *parts, isinstance(task.x, SparseFeatures)) == SIZES[name]
    assert name in names()
    seen = task.training_batches(0)[0]
    assert set(seen.nodes[seen.train_rows].tolist()) == set(task.train_index.tolist())
    assert (task.y[task.test_index] == -1).all()
    opened = task.test.open("real", "validation accuracy")
    perfect = torch.zeros(1, len(opened.batch.nodes), task.num_outputs)
    perfect[0, opened.index, opened.labels()] = 1
    assert opened.score(perfect).tolist() == [1.0]
