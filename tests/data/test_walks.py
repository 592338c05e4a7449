"""Subgraphs that random walks meet: what is in them, whose turn it is, and that training goes on exactly."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from graphstill.data import NodeTask, datasets
from graphstill.data.batches import induced_graph
from graphstill.data.walks import walk
from graphstill.engine import Run, Training, distill, train
from graphstill.errors import CheckpointError, ConfigError, MethodError
from graphstill.methods import KD
from graphstill.nn import GCN
from graphstill.ops import Adjacency
from tests.methods.stage import by_default, every_method, peers_of, student_of
from tests.tiny import tiny_task

TRAINING = Training(epochs=3, lr=0.01, patience=None)


def walked(roots: int = 20, length: int = 2, **kwargs: bool) -> NodeTask:
    return tiny_task(**kwargs).with_walks(roots, length)  # type: ignore[arg-type]


@cache
def teacher() -> Run:
    return train(GCN(hidden=6, layers=3), tiny_task(), training=TRAINING)


def test_a_batch_is_what_the_whole_graph_says_of_its_nodes() -> None:
    whole = tiny_task().full_batch()
    for batch in walked().training_batches(0):
        assert not batch.full and torch.equal(batch.nodes, batch.nodes.unique())
        assert torch.equal(batch.x, whole.x[batch.nodes]) and torch.equal(batch.y, whole.y[batch.nodes])
        edges = batch.nodes[batch.graph.edge_index()]
        inside = torch.isin(whole.graph.edge_index(), batch.nodes).all(0)
        assert torch.equal(edges, whole.graph.edge_index()[:, inside])
        assert torch.equal(batch.nodes[batch.train_rows], batch.nodes[batch.nodes < 30]) and len(batch.train_rows)


def test_an_induced_graph_is_sorted_as_if_it_were_made_anew() -> None:
    edges = torch.randint(40, (2, 300), generator=torch.Generator().manual_seed(0))
    store, kept = Adjacency.from_edge_index(edges, 40), torch.arange(0, 40, 3)
    made = induced_graph(store, kept)
    inside = torch.isin(edges, kept).all(0)
    anew = Adjacency.from_edge_index(torch.searchsorted(kept, edges[:, inside]), len(kept))
    assert made.num_edges and all(
        torch.equal(getattr(made, name), getattr(anew, name)) for name in ("ptr", "source", "target")
    )
    assert induced_graph(store, kept[:0]).num_edges == 0


def test_every_node_has_its_turn_and_draws_depend_on_the_epoch_alone() -> None:
    task = walked(length=0)
    first, again, later = ([batch.nodes for batch in task.training_batches(epoch)] for epoch in (0, 0, 1))
    assert (
        torch.equal(torch.cat(first).sort().values, torch.arange(120)) and [len(nodes) for nodes in first] == [20] * 6
    )
    assert torch.equal(torch.cat(first), torch.cat(again)) and not torch.equal(torch.cat(first), torch.cat(later))
    assert max(len(b.train_rows) for b in task.training_batches(0)) == 5  # 30 labelled nodes in 6 batches


def test_walks_go_against_the_edges_and_wait_where_none_leads_in() -> None:
    chain = Adjacency.from_edge_index(torch.tensor([[0, 1, 2], [1, 2, 3]]), 5)
    met = [walk(chain, torch.tensor([3, 4]), length, np.random.default_rng(0)).tolist() for length in (0, 1, 2, 9)]
    assert met == [[3, 4], [2, 3, 4], [1, 2, 3, 4], [0, 1, 2, 3, 4]]
    star = Adjacency.from_edge_index(torch.stack([torch.arange(1, 301), torch.zeros(300, dtype=torch.long)]), 301)
    roots = torch.zeros(2000, dtype=torch.long)
    assert len(walk(star, roots, 1, np.random.default_rng(0))) > 295


def test_the_data_are_the_same_so_that_teachers_may_be_exchanged() -> None:
    whole, parts = tiny_task(), walked()
    assert parts.hash == whole.hash and parts.validation_batch().full and parts.protocol()["walks"]["roots"] == 20
    run = distill(GCN(hidden=4), parts, method=KD(), teacher=teacher(), training=TRAINING)
    assert run.result["protocol"]["walks"] == {"roots": 20, "length": 2} == run.result["recipe"]["walks"]
    knowing = distill(GCN(hidden=4), whole, method=KD(), teacher=run, training=TRAINING)
    assert knowing.result["protocol"]["walks"] is None and "walks" not in knowing.result["recipe"]


def test_of_an_inductive_task_no_test_node_is_met() -> None:
    task = walked(inductive=True)
    assert all((batch.nodes < 70).all() for epoch in range(3) for batch in task.training_batches(epoch))
    assert not walked(inductive=True).training_graphs()[0].nodes.ge(70).any()


def test_training_goes_on_exactly(tmp_path: Path) -> None:
    whole = train(GCN(hidden=4), walked(), seeds=2, training=Training(epochs=4))

    def stop(epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if epoch == 2:
            raise KeyboardInterrupt

    often = Training(epochs=4, checkpoint_seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(GCN(hidden=4), walked(), seeds=2, training=often, directory=tmp_path, progress=stop)
    with pytest.raises(CheckpointError, match="walks"):
        train(GCN(hidden=4), walked(roots=40), seeds=2, training=often, directory=tmp_path, resume=True)
    resumed = train(GCN(hidden=4), walked(), seeds=2, training=often, directory=tmp_path, resume=True)
    assert resumed.validation == whole.validation
    for one, two in zip(whole.cohort.parameters(), resumed.cohort.parameters(), strict=True):
        assert torch.equal(one, two)


def test_what_cannot_be_drawn_is_refused() -> None:
    for roots, length in ((0, 2), (3, -1), (True, 2)):
        with pytest.raises(ConfigError, match="walks a batch from 1 up"):
            tiny_task().with_walks(roots, length)
    with pytest.raises(ConfigError, match="give at least 4 roots"):
        tiny_task().with_walks(3)
    with pytest.raises(ConfigError, match="give walk_roots too"):
        datasets.load("digits", walk_length=2)
    assert datasets.load("digits", walk_roots=500).protocol()["walks"] == {"roots": 500, "length": 2}


@pytest.mark.parametrize("name", every_method())
def test_every_method_trains_on_parts_or_says_why_not(name: str) -> None:
    method = by_default(name)
    how = {"teacher": teacher() if method.needs.teacher else None, "peers": peers_of(method)}
    if method.needs.heads:
        with pytest.raises(MethodError, match="compares all nodes"):
            distill(student_of(method), walked(), method=method, training=TRAINING)
        return
    run = distill(student_of(method), walked(), method=method, training=TRAINING, seeds=2, **how)  # type: ignore[arg-type]
    assert all(value.isfinite().all() for cohort in run.cohorts for value in cohort.state_dict().values())
