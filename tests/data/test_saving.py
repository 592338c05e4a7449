"""A saved task is the same task: by its hash, its protocol, what training sees of it, and what training makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import graphstill as gs
from graphstill.data import NodeTask
from graphstill.errors import DataError
from graphstill.ops import SparseFeatures
from tests.tiny import arrays, tiny_task

TRAINING = gs.Training(epochs=3)


def sparse() -> NodeTask:
    x, edge_index, y = arrays()
    counts = np.where(x > 0.7, np.ceil(x), 0).astype(np.float32)
    return NodeTask.from_arrays(
        counts, edge_index, y, split="per-class", seed=3, train=5, val=10, normalize="row", sparse=True, name="mine"
    )


def several() -> NodeTask:
    from torch_geometric.data import Data

    generator = torch.Generator().manual_seed(0)

    def graph(nodes: int) -> Data:
        x = torch.randn(nodes, 5, generator=generator)
        y = (torch.rand(nodes, 4, generator=generator) > 0.5).float()
        return Data(x=x, edge_index=torch.randint(nodes, (2, 3 * nodes), generator=generator), y=y)

    parts = [[graph(nodes) for nodes in sizes] for sizes in ((6, 9, 4), (7,), (8, 5))]
    return NodeTask.from_graphs(*parts, batch_graphs=2, name="graphs")


def two_classes() -> NodeTask:
    x, edge_index, y = arrays()
    masks = {"train": np.arange(100) < 30, "val": np.arange(100) >= 70, "test": np.arange(100) // 20 == 2}
    return NodeTask.from_arrays(
        x[:100], edge_index[:, (edge_index < 100).all(0)], (y[:100] > 0).astype(int), **masks, metric="roc_auc"
    )


def directed() -> NodeTask:
    """Repeated edges, self-loops, one direction only, nodes without a label."""
    x, _, y = arrays()
    edge_index = np.random.default_rng(0).integers(120, size=(2, 300))
    labels = np.where(np.arange(120) % 7 == 0, -1, y)
    return NodeTask.from_arrays(x, np.concatenate([edge_index, edge_index[:, :9]], 1), labels, split="random")


MAKERS: dict[str, Callable[[], NodeTask]] = {
    "dense": tiny_task,
    "sparse": sparse,
    "inductive": lambda: tiny_task(inductive=True),
    "multi-label": lambda: tiny_task(multi_label=True),
    "several graphs": several,
    "roc_auc": two_classes,
    "directed": directed,
    "fewer edges": lambda: tiny_task().without_edges(0.4, seed=2),
    "fewer training nodes": lambda: tiny_task(inductive=True).without_train_nodes(0.5),
    "shuffled labels": lambda: tiny_task().with_shuffled_labels(),
    "positions": lambda: sparse().with_positions(4),
    "positions, dense": lambda: tiny_task(inductive=True).with_positions(3).with_walks(60, 1),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_saved_task_is_the_same(name: str, tmp_path: Path) -> None:
    task = MAKERS[name]()
    path = task.save(tmp_path / "my task")
    assert path == tmp_path / "my task.npz" and list(tmp_path.iterdir()) == [path]
    for again in (NodeTask.from_npz(path), gs.datasets.load(str(path))):
        assert again.hash == task.hash
        assert again.protocol() == task.protocol()
        assert (again.inductive, again.metric) == (task.inductive, task.metric)
        assert isinstance(again.x, SparseFeatures) == isinstance(task.x, SparseFeatures)
        batches = (task.training_batches(0)[0], again.training_batches(0)[0])
        assert torch.equal(*(batch.graph.edge_index() for batch in batches))
        runs = [gs.train(gs.models.GCN(hidden=4), one, training=TRAINING) for one in (task, again)]
        assert runs[0].result["test"] == runs[1].result["test"], "the test labels came along"
        assert runs[0].validation == runs[1].validation
        states = [run.cohort.state_dict() for run in runs]
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert len(task.test.openings) == 2, "saving opens nothing"


def test_the_file_is_one_like_any_other(tmp_path: Path) -> None:
    """Plain arrays under the usual names, which other programs read; other splits and settings can be asked for."""
    task = tiny_task()
    path = task.to_npz(tmp_path / "tiny.npz")
    with np.load(path, allow_pickle=False) as stored:
        assert set(stored.files) == {"x", "edge_index", "y", "train_idx", "val_idx", "test_idx", "meta"}
        np.testing.assert_array_equal(stored["x"], arrays()[0])
        np.testing.assert_array_equal(stored["y"], arrays()[2])
    other = NodeTask.from_npz(path, split="random", seed=4, inductive=True, name="other")
    assert other.inductive and other.hash != task.hash and other.name == "other"
    assert gs.datasets.load(str(path), edges_removed=0.5).origin is not None
    assert NodeTask.from_npz(path, inductive=True).inductive


@pytest.mark.parametrize("changed", ["x", "y", "edge_index", "train_idx"])
def test_a_changed_file_is_refused(changed: str, tmp_path: Path) -> None:
    path = tiny_task().save(tmp_path / "tiny.npz")
    with np.load(path) as stored:
        found = dict(stored)
    if changed == "train_idx":
        found[changed] = found[changed][1:]
    else:
        found[changed][..., 0] += 1
    np.savez(path, **found)
    with pytest.raises(DataError, match="the file was changed"):
        NodeTask.from_npz(path)


@pytest.mark.parametrize(
    "facts",
    [
        {},
        [],
        3,
        {"name": "x"},
        {"unknown": 1},
        {"positions": {"dimensions": 999}},
        {"format": 2},
        {"hash": 3},
        {"walks": {"roots": "a"}},
        {"batch_graphs": "x"},
        {"unused": 1},
        {"unused": [1]},
        {"edges_removed": [1]},
        {"edges_removed": [{"share": "a", "seed": 0}]},
        {"walks": {"roots": -1, "length": 1}},
        {"format": "1"},
    ],
)
def test_facts_that_save_does_not_write_are_refused(facts: Any, tmp_path: Path) -> None:
    path = tiny_task().save(tmp_path / "tiny.npz")
    with np.load(path) as stored:
        found = dict(stored)
    meta = json.loads(str(found["meta"]))
    given = meta["graphstill"] | facts if isinstance(facts, dict) and len(facts) == 1 and "name" not in facts else facts
    found["meta"] = np.array(json.dumps(meta | {"graphstill": given}))
    np.savez(path, **found)
    with pytest.raises(DataError, match=r"not what task\.save writes"):
        NodeTask.from_npz(path)


def test_what_was_rounded_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="before it is converted"):
        tiny_task().to("cpu", torch.bfloat16).save(tmp_path / "tiny.npz")
    double = tiny_task().to("cpu", torch.float64)
    assert NodeTask.from_npz(double.save(tmp_path / "tiny")).hash == double.hash
