"""ROD: its three terms, the pairs it compares, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphstill.data import NodeTask
from graphstill.engine import Training, distill
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import own_ensemble_kl
from graphstill.method import Composite
from graphstill.methods import KD, METHODS
from graphstill.methods.rod import ROD, pairs_by_hop
from graphstill.nn import GCN, make_model
from graphstill.ops import Adjacency, SparseFeatures
from tests.methods.stage import WITH_HEADS, map_view, set_stage
from tests.tiny import arrays, tiny_task

SHORT = Training(epochs=4)


def path() -> Adjacency:
    """0 – 1 – 2."""
    return Adjacency.from_edge_index(torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]), 3)


def test_pairs_of_a_path_of_three_nodes() -> None:
    """Before propagation 0 and 2 are alike; after it the middle is in between, and they are still alike.

    Two edges: two similar pairs, and three dissimilar ones (half the seven entries of A + I), of the three there are.
    """
    x = torch.tensor([[1.0, 0.1], [0.0, 1.0], [1.0, 0.0]])
    most, least, taken = pairs_by_hop(x, path(), 2, 1)
    assert most.shape == (2, 2, 2) and least.shape == (2, 2, 3) and taken == 3
    assert most[:, 0].t().tolist() == [[0, 2], [0, 1]]
    assert most[:, 1, 0].tolist() == [0, 2]
    assert {tuple(pair) for pair in least[:, 1].t().tolist()} == {(0, 1), (0, 2), (1, 2)}


def test_hops_are_those_of_the_normalised_graph() -> None:
    task = tiny_task()
    graph = task.full_batch().graph
    a = torch.eye(120)
    a[graph.target.long(), graph.source.long()] = 1
    scale = a.sum(1).rsqrt()
    x = task.full_batch().x
    assert isinstance(x, torch.Tensor)
    most, least, taken = pairs_by_hop(x, graph, 3, 2)
    edges = graph.num_edges // 2
    assert most.shape == (2, 3, edges) and least.shape == (2, 3, 2 * taken) and taken == edges + 60
    for hop in range(3):
        received = torch.linalg.matrix_power(scale[:, None] * a * scale, hop) @ x
        cosine = F.normalize(received) @ F.normalize(received).t()
        others = cosine[torch.triu(torch.ones(120, 120), 1).bool()]
        near, far = (cosine[side[0, hop].long(), side[1, hop].long()] for side in (most, least))
        torch.testing.assert_close(near.sort()[0], others.topk(edges)[0].flip(0), atol=3e-6, rtol=0)
        torch.testing.assert_close(far.sort()[0], (-others).topk(2 * taken)[0].neg(), atol=3e-6, rtol=0)
        # In random order: a slice is a sample of the pool, not pairs of one similarity.
        place = torch.arange(len(far), dtype=far.dtype)
        assert torch.corrcoef(torch.stack([place, far]))[0, 1].abs() < 0.2


def test_self_loops_and_repeated_edges_do_not_count() -> None:
    edges = torch.tensor([[0, 1, 1, 2, 0, 1], [1, 0, 2, 1, 1, 1]])
    graph, x = Adjacency.from_edge_index(edges, 3), torch.eye(3)
    most, _, taken = pairs_by_hop(SparseFeatures.from_dense(x), graph, 1, 1)
    assert most.shape == (2, 1, 2) and taken == 3


def test_terms_by_the_formula() -> None:
    """With the whole pool taken there is nothing random: the released sum over batches, pair by pair, both orders."""
    stage = set_stage(ROD(ensemble=0.3, similarity=0.2, pool=1, nodes="all"), tiny_task(), [0, 1])
    found, options = stage.terms(), stage.step.parts.options
    heads = stage.s.heads
    assert heads is not None and heads.shape == (2, 3, 120, 3) and set(found) == {"heads", "ensemble", "similarity"}
    rows, y = stage.step.batch.train_rows, stage.step.batch.y[stage.step.batch.train_rows]
    for m in range(2):
        expected = sum(F.cross_entropy(heads[m, k, rows], y) for k in range(3))
        torch.testing.assert_close(found["heads"][m], expected)
    torch.testing.assert_close(found["ensemble"], 0.3 * own_ensemble_kl(heads))
    assert options["least"].shape[2] == options["taken"]
    for m in range(2):
        total = torch.zeros(())
        for k in range(3):
            for side, label in ((options["most"], 1.0), (options["least"], 0.0)):
                i, j = torch.cat([side[:, k], side[:, k].flip(0)], 1).long()
                cosine = F.cosine_similarity(heads[m, k, i], heads[m, k, j])
                weight = (cosine if label else 1 - cosine).detach()
                target = torch.full_like(cosine, label)
                total = total + F.binary_cross_entropy_with_logits(cosine, target, weight, reduction="sum") / 2000
        torch.testing.assert_close(found["similarity"][m], 0.2 * total)


def test_equal_heads_leave_nothing_for_the_ensemble() -> None:
    stage = set_stage(ROD(nodes="all"), tiny_task(), [0])
    same = map_view(stage.s, lambda x: x)
    assert same.heads is not None
    same.heads = same.heads[:, :1].expand_as(same.heads)
    assert stage.terms(same)["ensemble"].abs().max() < 1e-8
    assert stage.terms()["ensemble"].min() > 1e-6


def test_all_nodes_or_training_nodes() -> None:
    values = [set_stage(ROD(nodes=nodes), tiny_task(), [0]).terms() for nodes in ("train", "all")]
    assert values[0]["ensemble"] != values[1]["ensemble"] and values[0]["heads"] == values[1]["heads"]


def test_every_step_and_member_draws_its_own_slice() -> None:
    def at(number: int, seeds: list[int]) -> torch.Tensor:
        stage = set_stage(ROD(similarity=1.0, pool=5), tiny_task(), seeds)
        stage.move(number=number)
        z = stage.s.heads
        assert z is not None
        stage.s.heads = z[:1].expand_as(z)
        return stage.terms()["similarity"]

    many = at(5, [0, 7, 3])
    assert len(set(many.tolist())) == 3
    assert not torch.allclose(at(6, [0, 7, 3]), many)
    assert torch.equal(at(5, [0, 7, 3]), many)


def test_weights_of_zero_are_the_task_loss_and_search_no_pairs() -> None:
    stage = set_stage(ROD(ensemble=0.0, similarity=0.0), tiny_task(), [0])
    assert set(stage.terms()) == {"heads"} and not stage.active[0].parts.options
    assert stage.active[0].method.supervision(0.0) == 0


def test_the_prediction_is_the_mean_of_all_heads() -> None:
    """Not of some of them, as in the released code for links."""
    task = tiny_task()
    cohort = make_model("rod", hidden=6, hops=3, dropout=0.0).build(task.in_features, 3, [0, 1])
    out = cohort(task.full_batch().x, task.full_batch().graph)
    assert out.heads is not None and out.heads.shape == (2, 4, 120, 3)
    torch.testing.assert_close(out.logits, sum(z / 4 for z in out.heads.unbind(1)))


@pytest.mark.parametrize("method", [ROD(), Composite((KD() + ROD()).terms)], ids=["alone", "in a sum"])
def test_a_student_with_one_classifier_is_refused(method: ROD | Composite) -> None:
    teacher = torch.zeros(120, 3) if isinstance(method, Composite) else None
    with pytest.raises(MethodError, match=r"'rod' .*several classifiers.*\(gcn\) has one: use the model 'rod'"):
        distill(GCN(hidden=6), tiny_task(), method=method, teacher=teacher, training=SHORT)


def test_a_group_of_networks_with_heads() -> None:
    """Peers of one kind have heads, in turns too; a group in which one has none has none."""
    together = ROD() + METHODS["codistill"]()
    for updates in ("simultaneous", "alternating"):
        run = distill(
            WITH_HEADS, tiny_task(), method=together, peers=2, seeds=2, training=Training(epochs=3, updates=updates)
        )
        assert len(run.validation) == 4
    with pytest.raises(MethodError, match="several classifiers"):
        distill([WITH_HEADS, GCN(hidden=6)], tiny_task(), method=together, training=SHORT)


def test_batches_of_graphs_are_refused_unless_no_pairs_are_compared() -> None:
    x, edges, y = arrays()
    inside = np.ascontiguousarray(edges[:, edges[0] // 30 == edges[1] // 30])
    task = NodeTask.from_arrays(
        x,
        inside,
        y,
        train=range(60),
        val=range(60, 90),
        test=range(90, 120),
        graph_ptr=[0, 30, 60, 90, 120],
        batch_graphs=1,
    )
    with pytest.raises(MethodError, match=r"'rod' compares all nodes.*leave batch_graphs out"):
        distill(WITH_HEADS, task, method=ROD(), training=SHORT)
    distill(WITH_HEADS, task, method=ROD(similarity=0.0), training=SHORT)


def test_it_learns() -> None:
    run = distill(
        make_model("rod", hidden=16, hops=3), tiny_task(), method=ROD(), seeds=2, training=Training(epochs=60, lr=0.02)
    )
    assert min(run.validation) > 0.9


@pytest.mark.parametrize("wrong", [{"ensemble": -1.0}, {"similarity": float("nan")}, {"pool": 0}, {"nodes": "val"}])
def test_options_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"rod: {next(iter(wrong))}"):
        ROD(**wrong)  # type: ignore[arg-type]
