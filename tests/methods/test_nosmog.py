"""NOSMOG: Gram matrices, perturbations in their box, and the students run once more."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from graphstill.data import NodeTask
from graphstill.engine import Training, distill, train
from graphstill.engine.again import Again
from graphstill.engine.group import Group
from graphstill.errors import ConfigError, MethodError
from graphstill.losses import adversarial_offset, gram_distance, soft_target_kl
from graphstill.methods import DML, GLNN, NOSMOG
from graphstill.methods.nosmog import features_of, scale_of
from graphstill.nn import GCN, MLP, GraphSAGE, Hidden, Model
from graphstill.ops import SparseFeatures
from tests.methods.stage import Stage, set_stage
from tests.tiny import tiny_task


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gram_distance_is_that_of_all_pairs_and_blind_to_rotation() -> None:
    a, b = draw(1, 9, 4), draw(2, 9, 3, seed=1)
    naive = (a @ a.transpose(1, 2) - b @ b.transpose(1, 2)).square().sum((1, 2))
    torch.testing.assert_close(gram_distance(a, b), naive)
    turn = torch.linalg.qr(draw(4, 4, seed=2))[0]
    torch.testing.assert_close(gram_distance(a, a @ turn), torch.zeros(1, dtype=a.dtype), atol=1e-10, rtol=0)


def similarity(map_dropout: float = 0.0) -> Stage:
    """A stage whose map is the identity, without perturbations."""
    stage = set_stage(NOSMOG(adversarial_weight=0, similarity_weight=2.0, map_dropout=map_dropout), tiny_task(), [0, 1])
    joint = stage.active[0].parts.joint
    assert joint is not None
    with torch.no_grad():
        joint.weight.copy_(torch.eye(6).expand(2, -1, -1))  # type: ignore[union-attr, operator]
        joint.bias.zero_()  # type: ignore[union-attr, operator]
    return stage


def test_similarity_is_the_mean_over_pairs_and_nothing_where_products_agree() -> None:
    stage = similarity()
    assert stage.t is not None
    t, m = stage.t.layer(-1).pre, stage.s.layer(-1).pre.relu()
    naive = (t @ t.transpose(1, 2) - m @ m.transpose(1, 2)).square().mean((1, 2))
    torch.testing.assert_close(stage.terms()["similarity"], 2 * naive, rtol=1e-4, atol=1e-5)
    same, turn = torch.rand(1, 120, 6), torch.linalg.qr(torch.randn(6, 6))[0]
    stage.s.hidden = [Hidden(*[same.expand(2, -1, -1)] * 3)]
    stage.t.hidden = [Hidden(*[same @ turn] * 3)]
    assert stage.terms()["similarity"].abs().max() < 1e-4


def test_order_of_nodes_changes_nothing_without_draws() -> None:
    order, method = np.random.default_rng(0).permutation(120), NOSMOG(adversarial_weight=0, map_dropout=0)
    here, there = set_stage(method, tiny_task(), [0, 1]), set_stage(method, tiny_task(order), [0, 1])
    torch.testing.assert_close(here.total(), there.total(), rtol=1e-4, atol=1e-6)


def test_labels_weigh_as_in_glnn() -> None:
    stage = set_stage(NOSMOG(labels=0.25), tiny_task(), [0, 1])
    whole = set_stage(NOSMOG(), tiny_task(), [0, 1]).terms()
    assert list(whole) == ["soft", "similarity", "adversarial"]
    for key, value in stage.terms().items():
        torch.testing.assert_close(value, 0.75 * whole[key])
    bare = set_stage(NOSMOG(labels=0.25, similarity_weight=0, adversarial_weight=0), tiny_task(), [0, 1])
    torch.testing.assert_close(bare.terms(), set_stage(GLNN(labels=0.25), tiny_task(), [0, 1]).terms())
    assert NOSMOG(labels=0.25).supervision(0.5) == 0.25 and bare.active[0].parts.joint is None


def test_ascent_of_a_plane_ends_in_a_corner() -> None:
    slope = torch.tensor([[1.0, -2.0, 0.0]])
    start = torch.tensor([[0.05, 0.05, 0.05]])
    found = adversarial_offset(lambda d: (d * slope).sum(1), start, 0.1, 6)
    torch.testing.assert_close(found, torch.tensor([[0.1, -0.1, 0.05]]))
    step = adversarial_offset(lambda d: (d * slope).sum(1), start, 0.1, 1)
    torch.testing.assert_close(step, torch.tensor([[0.075, 0.025, 0.05]]))


def test_perturbations_stay_in_the_box_and_hurt() -> None:
    """The KL on perturbed features is above the plain one, more so in a larger box; the search trains nothing."""
    stage = set_stage(NOSMOG(), tiny_task(), [0, 1])
    t, x, cohort = stage.t, stage.step.batch.x, stage.group.blocks[0].cohort
    assert t is not None and isinstance(x, Tensor)
    rows = torch.arange(120).expand(2, -1)

    def kl(offset: Tensor) -> Tensor:
        return soft_target_kl(t.logits, stage.step.forward(x + offset, rows).logits, 1.0, False)

    values = [kl(torch.zeros(2, 120, 64)).detach()]
    torch.testing.assert_close(values[0], soft_target_kl(t.logits, stage.s.logits, 1.0, False).detach())
    for radius in (0.05, 0.2):
        start = (torch.rand(2, 120, 64) * 2 - 1) * radius
        offset = adversarial_offset(kl, start, radius, 5)
        assert offset.abs().max() <= radius and not offset.requires_grad
        assert all(p.grad is None for p in cohort.parameters())
        values.append(kl(offset).detach())
        assert (values[-1] > values[-2]).all() and (values[-1] > kl(start)).all()


def test_the_adversarial_term_is_above_the_soft_one_and_reaches_the_weights() -> None:
    stage = set_stage(NOSMOG(similarity_weight=0, adversarial_weight=1.0, epsilon=0.1), tiny_task(), [0, 1])
    terms = stage.terms()
    assert (terms["adversarial"] > terms["soft"]).all()
    terms["adversarial"].sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in stage.group.blocks[0].cohort.parameters())


def test_each_step_draws_its_own_nodes_and_start() -> None:
    stage = set_stage(NOSMOG(adversarial_nodes=20), tiny_task(), [0, 0])
    first = stage.terms()["adversarial"].detach()
    torch.testing.assert_close(first, stage.terms()["adversarial"].detach())
    stage.move(number=1)
    assert not torch.allclose(first, stage.terms()["adversarial"].detach())


def again(model: Model, task: NodeTask, number: int = 3) -> tuple[Again, Tensor]:
    """The students of two seeds, and what they say in training at a step."""
    group = Group([model], task.in_features, task.num_outputs, [0, 1], False, task.y.device)
    batch = task.training_batches(0)[0]
    return Again(group.blocks[0], batch, number), group.blocks[0].train_output(batch, number).logits


@pytest.mark.parametrize("model", [MLP(hidden=5, dropout=0.0), GCN(hidden=5, dropout=0.0)])
def test_rows_alone_are_those_rows_of_all(model: Model) -> None:
    run, logits = again(model, tiny_task())
    rows = torch.stack([torch.randperm(120)[:30] for _ in range(2)])
    x = features_of(tiny_task().x, rows)
    expected = logits.gather(1, rows.unsqueeze(-1).expand(-1, -1, 3))
    torch.testing.assert_close(run(x, rows).logits, expected, rtol=1e-5, atol=1e-5)


def test_a_pass_of_its_own_has_the_noise_of_the_step_and_leaves_running_statistics() -> None:
    model, task = MLP(hidden=5, dropout=0.5, batch_norm=True), tiny_task()
    run, _ = again(model, task)
    rows = torch.arange(120).expand(2, -1)
    before = {key: value.clone() for key, value in run.block.cohort.state_dict().items()}
    one, two = run(features_of(task.x, rows), rows).logits, run(features_of(task.x, rows), rows).logits
    assert torch.equal(one, two) and not torch.equal(one, run.block.cohort(task.x, run.batch.graph).logits)
    assert all(torch.equal(value, before[key]) for key, value in run.block.cohort.state_dict().items())
    one.sum().backward()


def test_features_and_their_scale_whatever_the_storage() -> None:
    x = (torch.rand(9, 4, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    rows = torch.tensor([[1, 0], [8, 3]])
    sparse = SparseFeatures.from_dense(x)
    assert torch.equal(features_of(sparse, rows), features_of(x, rows))
    assert scale_of(x) == scale_of(sparse) == 1.0 and scale_of(x * 0) == 1.0
    assert scale_of(3 * x) == pytest.approx(3.0)


def test_an_mlp_on_positions_from_a_teacher() -> None:
    task, short = tiny_task().with_positions(8), Training(epochs=5)
    teacher = train(GraphSAGE(hidden=8), task, seeds=2, training=short)
    run = distill(MLP(hidden=6), task, method=NOSMOG(adversarial_nodes=30), teacher=teacher, seeds=2, training=short)
    assert run.result["protocol"]["positions"] == {"dimensions": 8, "window": 10} and run.result["inputs"] == 72
    inductive = tiny_task(inductive=True).with_positions(8)
    teacher = train(GraphSAGE(hidden=8), inductive, training=short)
    run = distill(MLP(hidden=6), inductive, method=NOSMOG(), teacher=teacher, training=short)
    assert np.isfinite(run.result["validation"]).all()


def test_students_that_are_several_networks_cannot_be_run_again() -> None:
    task, short = tiny_task(), Training(epochs=2)
    teacher = train(GCN(hidden=4), task, training=short)
    method = NOSMOG(similarity_weight=0) + DML()
    with pytest.raises(MethodError, match="they must be one cohort"):
        distill([GCN(hidden=4), GraphSAGE(hidden=4)], task, method=method, teacher=teacher, training=short)
    assert distill(GCN(hidden=4), task, method=method, teacher=teacher, peers=2, training=short).peers == 2


@pytest.mark.parametrize("wrong", [{"labels": 2}, {"epsilon": 0}, {"steps": 0}, {"adversarial_nodes": 0}])
def test_refuses(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        NOSMOG(**wrong)  # type: ignore[arg-type]
