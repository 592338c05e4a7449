"""GraphAKD: identifiers at their start, who is moved by which step, cadence, widths."""

from __future__ import annotations

import math

import pytest
import torch

from graphstill.engine import terms
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import judged_fake, judged_real, unit
from graphstill.method.parts.identifiers import Diagonal, Identifiers, LogitsIdentifier
from graphstill.methods import GraphAKD
from graphstill.nn import GCN
from graphstill.nn.layers import initialise
from graphstill.ops import Adjacency
from tests.methods.stage import Stage, as_target, map_view, set_stage
from tests.tiny import tiny_task


def identifiers(stage: Stage) -> Identifiers:
    found = stage.active[0].parts.adversary
    assert isinstance(found, Identifiers)
    return found


def test_fixture_of_the_local_identifier() -> None:
    """F9: identical features with edge cosines 1, ½, −0.2 and s = ½."""
    h = torch.tensor([[[2.0, 0], [1, 0], [1.5, 1.5 * math.sqrt(3)], [-0.2, math.sqrt(0.96)]]])
    graph = Adjacency.from_edge_index(torch.tensor([[1, 2, 3], [0, 0, 0]]), 4)
    critic = Diagonal(1, 2, 0.5)
    initialise(critic, [0])
    scores = critic.edges(unit(h), graph)
    torch.testing.assert_close(scores, 0.5 * torch.tensor([[1.0, 0.5, -0.2]]), atol=1e-6, rtol=0)
    loss = judged_real(scores) + judged_fake(scores)
    assert loss.item() == pytest.approx(1.412942, abs=1e-6)
    assert (judged_real(0 * scores) + judged_fake(0 * scores)).item() == pytest.approx(2 * math.log(2))


def test_logits_identifier_at_zero_knows_nothing() -> None:
    stage = set_stage(GraphAKD(node_weight=0.0, logit_weight=0.0), tiny_task(), [0, 1])
    critic = identifiers(stage).logits
    assert isinstance(critic, LogitsIdentifier)
    with torch.no_grad():
        for p in critic.parameters():
            p.zero_()
    expected = (math.log(3) + math.log(2)) / 2
    torch.testing.assert_close(stage.terms()["class"], torch.full((2,), expected))


def test_logits_identifier_reads_as_written() -> None:
    critic = LogitsIdentifier(1, 3)
    initialise(critic, [0])
    z = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.relu(z + z @ critic.first.weight + critic.first.bias) @ critic.last
    torch.testing.assert_close(critic(z), expected)
    assert sum(p.numel() for p in critic.parameters()) == 3 * 3 + 3 + 3 * 4


def test_logits_one_away_cost_the_number_of_classes() -> None:
    stage = set_stage(GraphAKD(), tiny_task(), [0, 1])
    same = stage.s.detach()
    moved = map_view(same, lambda x: x + 1)
    torch.testing.assert_close(stage.terms(moved, as_target(same, stage.t))["logit"], torch.full((2,), 3.0))


def test_discriminators_and_students_move_in_turn() -> None:
    stage = set_stage(GraphAKD(), tiny_task(), [0, 1])
    term, before = stage.active[0], [p.clone() for p in identifiers(stage).parameters()]
    stage.put(parts=term.parts)
    students = [p for b in stage.group.blocks for p in b.cohort.parameters()]
    terms.adversary_steps(stage.active, stage.t, stage.peers, stage.step)
    after = [p.clone() for p in identifiers(stage).parameters()]
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.grad is None for p in students)
    for p in identifiers(stage).parameters():
        p.grad = None
    stage.total().sum().backward()
    assert all(p.grad is not None for p in students)
    assert all(p.grad is None for p in identifiers(stage).parameters())


def test_every_kth_epoch() -> None:
    stage = set_stage(GraphAKD(critic_every=3), tiny_task(), [0])
    moved = []
    for epoch in range(6):
        before = identifiers(stage).edge.weight.clone()
        stage.move(epoch=epoch)
        terms.adversary_steps(stage.active, stage.t, stage.peers, stage.step)
        moved.append(not torch.equal(before, identifiers(stage).edge.weight))
    assert moved == [True, False, False, True, False, False]


def test_equal_features_cannot_be_told_apart() -> None:
    """Each adversarial part of the identifiers' loss is at least 2 ln 2 where teacher and student agree."""
    stage = set_stage(GraphAKD(), tiny_task(), [0, 1])
    d, h = identifiers(stage), stage.s.hidden[-1].post.detach()
    u = unit(h)
    scores = [
        d.edge.edges(u, stage.s.graph),
        *d.whole.summaries(u, [h.mean(1).sigmoid()]),
        d.logits(stage.s.logits.detach())[..., -1],
    ]
    for x in scores:
        assert (judged_real(x) + judged_fake(x) >= 2 * math.log(2) - 1e-6).all()


def test_teacher_and_student_exchange_places_in_the_global_terms() -> None:
    stage = set_stage(GraphAKD(), tiny_task(), [0])
    term, d = stage.active[0], identifiers(stage)
    with torch.no_grad():
        d.edge.score.zero_()
        d.logits.last.zero_()
    stage.put(parts=term.parts)
    there = term.method.adversary_loss(stage.s.detach(), stage.t, stage.step)
    swapped = term.method.adversary_loss(stage.t, stage.s.detach(), stage.step)  # type: ignore[arg-type]
    torch.testing.assert_close(there, swapped)


def test_refuses() -> None:
    with pytest.raises(MethodError, match="student's are 6 wide and the teacher's 20: train a teacher"):
        set_stage(GraphAKD(), tiny_task(), [0], teacher_model=GCN(hidden=20, layers=2, dropout=0.0))
    for wrong in ({"critic_every": 0}, {"critic_lr": 0.0}, {"node_weight": -1.0}, {"score": 0.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            GraphAKD(**wrong)  # type: ignore[arg-type]
