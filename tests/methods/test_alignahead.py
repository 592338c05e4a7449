"""Alignahead and Alignahead++: layer maps, traps of the released code, and what each term sees."""

from __future__ import annotations

import math

import pytest
import torch

from graphstill.engine import Training, distill
from graphstill.losses import edge_similarity, local_structure_kl
from graphstill.methods import Alignahead, AlignaheadPlus
from graphstill.methods.alignahead import source_layer
from graphstill.nn import GCN, Hidden
from tests.methods.stage import as_target, map_view, set_stage
from tests.tiny import tiny_task


@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize("layers", [2, 3, 5])
def test_layer_map_is_one_cycle(shift: int, layers: int) -> None:
    at, seen = 0, []
    for _ in range(layers):
        seen.append(at)
        at = source_layer(at, layers, shift)
    assert sorted(seen) == list(range(layers)) and at == 0
    assert source_layer(0, layers, 1) == 1 % layers and source_layer(0, layers, -1) == layers - 1


def test_same_layer_control_is_the_identity() -> None:
    assert [source_layer(i, 3, 0) for i in range(3)] == [0, 1, 2]


def test_order_of_layers_matters_only_with_a_shift() -> None:
    for shift, same in ((0, True), (1, False), (-1, False)):
        stage = set_stage(Alignahead(shift=shift), tiny_task(), [0])  # type: ignore[arg-type]
        backwards = stage.s.detach()
        backwards.hidden = list(reversed(backwards.hidden))
        one, two = stage.total(), stage.total(backwards, as_target(backwards, stage.t))
        # Two layers: swapped, the shifted pairs are the same pairs with student and peer exchanged by layer.
        assert bool(torch.allclose(one, two)) or not same
    deep = set_stage(Alignahead(shift=1), tiny_task(), [0])
    assert deep.total().min() > 0


def test_zero_where_peers_and_layers_agree() -> None:
    stage = set_stage(Alignahead(), tiny_task(), [0])
    equal = map_view(stage.s.detach(), lambda x: x[:1].expand(3, -1, -1).contiguous())
    assert set_stage(Alignahead(shift=0), tiny_task(), [0]).total(equal, as_target(equal, stage.t)).abs().max() < 1e-6
    equal.hidden = [equal.hidden[0]] * 2
    assert stage.total(equal, as_target(equal, stage.t)).abs().max() < 1e-6


def test_turns_break_the_tie_of_equal_students(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one initialisation for all, simultaneous students stay equal for ever; taking turns separates them."""
    from graphstill.engine import group as module

    monkeypatch.setattr(module, "member_seeds", lambda seeds, peers, stream: [seeds[0]] * peers)  # noqa: ARG005

    def logits(updates: str) -> list[torch.Tensor]:
        run = distill(
            GCN(hidden=6, layers=3, dropout=0.0),
            tiny_task(),
            method=Alignahead(),
            peers=2,
            training=Training(epochs=4, updates=updates),  # type: ignore[arg-type]
        )
        batch = tiny_task().full_batch()
        return [row for c in run.cohorts for row in c(batch.x, batch.graph).logits]

    one, two = logits("simultaneous")
    torch.testing.assert_close(one, two, rtol=0, atol=1e-5)  # rounding differs with where in memory a member lies
    one, two = logits("alternating")
    assert (one - two).abs().max() > 1e-3


def test_plus_without_its_additions_is_alignahead() -> None:
    plus = set_stage(AlignaheadPlus(structure=1.0, feature=0.0, auxiliary=0.0), tiny_task(), [0])
    torch.testing.assert_close(plus.total(), set_stage(Alignahead(shift=1), tiny_task(), [0]).total())
    assert plus.active[0].parts.joint is None


def test_plus_adds_classifiers_that_inference_does_not_have() -> None:
    run = distill(GCN(hidden=6, layers=3), tiny_task(), method=AlignaheadPlus(), peers=2, training=Training(epochs=3))
    plain = GCN(hidden=6, layers=3).build(64, 3, [0])
    assert set(run.cohorts[0].state_dict()) == set(plain.state_dict())


def test_plus_sees_a_collapse_that_structure_cannot() -> None:
    """All nodes alike: structure is silent, deep supervision is not."""
    stage = set_stage(AlignaheadPlus(auxiliary=1.0), tiny_task(), [0])
    leaf = torch.zeros_like(stage.s.hidden[0].pre).requires_grad_()
    collapsed = stage.s.detach()
    collapsed.hidden = [Hidden(leaf, leaf, leaf)] * 2
    values = stage.terms(collapsed, as_target(collapsed, stage.t))
    assert values["structure"].abs().max() < 1e-6
    # Whatever a classifier says of nodes that look alike, it pays at least the entropy of the training labels.
    y = stage.step.batch.y[stage.step.batch.train_rows]
    share = torch.bincount(y).double() / len(y)
    assert (values["auxiliary"] >= -(share * share.log()).sum() - 1e-6).all()
    values["auxiliary"].sum().backward()
    assert leaf.grad is not None and leaf.grad.abs().max() > 0


def test_feature_term_is_the_mean_squared_distance_to_the_next_layer() -> None:
    stage = set_stage(AlignaheadPlus(structure=0.0, feature=1.0, auxiliary=0.0), tiny_task(), [0])
    first, second = (h.pre.detach() for h in stage.s.hidden)
    expected = torch.stack(
        [sum((first[i] - second[j]).square().mean() for j in range(3) if j != i) / 2 for i in range(3)]  # type: ignore[misc]
    )
    torch.testing.assert_close(stage.terms()["feature"].detach(), expected)
    assert math.isfinite(float(expected.sum()))


def test_members_that_do_not_learn_cost_nothing_and_change_nothing() -> None:
    stage = set_stage(Alignahead(), tiny_task(), [0, 1])
    everyone = stage.total()
    stage.put(learning=torch.tensor([1, 4]))
    some = stage.total()
    torch.testing.assert_close(some[[1, 4]], everyone[[1, 4]])
    assert some[[0, 2, 3, 5]].abs().max() == 0


def test_mean_over_peers_in_closed_form() -> None:
    """One term for all peers equals the mean of the pairwise divergences."""
    stage = set_stage(Alignahead(shift=1), tiny_task(), [0, 1])
    graph, s = stage.s.graph, stage.s.detach()
    similarity = [edge_similarity(graph, h.pre, "negative_euclidean") for h in s.hidden]
    pairs = [
        stage.peers.mean_over_others(
            lambda other, i=i: local_structure_kl(graph, other(similarity[source_layer(i, 2, 1)]), similarity[i])
        )
        for i in range(2)
    ]
    torch.testing.assert_close(stage.total().detach(), pairs[0] + pairs[1], rtol=1e-4, atol=1e-6)
