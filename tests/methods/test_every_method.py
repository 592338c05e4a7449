"""What must hold for every registered method. A new method is tested here without a line of its own."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from graphstill.engine import Run, Training, distill, train
from graphstill.methods import METHODS, make_method
from graphstill.nn import GCN, ROD
from tests.methods.stage import as_target, by_default, every_method, map_view, peers_of, set_stage
from tests.tiny import Killed, kill_at, tiny_task

MODEL = GCN(hidden=6, layers=3, dropout=0.3)
WITH_HEADS = ROD(hidden=6, hops=2, dropout=0.3)
SHORT = Training(epochs=6, lr=0.02, weight_decay=5e-4, warmup=2, checkpoint_seconds=0.0, log_every=1)


@pytest.fixture(scope="module")
def teacher() -> Run:
    return train(GCN(hidden=8, layers=3), tiny_task(), seeds=1, training=Training(epochs=20))


@cache
def teacher_of_equal_width() -> Run:
    return train(GCN(hidden=6, layers=3), tiny_task(), seeds=1, training=Training(epochs=20))


def run_it(name: str, teacher: Run, seeds: list[int], **more: object) -> Run:
    method = by_default(name)
    if name in EQUAL_WIDTHS:
        teacher = teacher_of_equal_width()
    return distill(
        WITH_HEADS if method.needs.heads else MODEL,
        tiny_task(),
        method=method,
        teacher=teacher if method.needs.teacher else None,
        peers=peers_of(method),
        seeds=seeds,
        training=SHORT,
        **more,  # type: ignore[arg-type]
    )


def weights(run: Run) -> dict[str, Tensor]:
    return {f"{i}.{k}": v for i, c in enumerate(run.cohorts) for k, v in c.state_dict().items()}


@pytest.mark.parametrize("name", every_method())
def test_resumes_exactly(name: str, teacher: Run, tmp_path: Path) -> None:
    """Killed after an epoch and resumed, a run ends bit-identical to an undisturbed one."""

    whole = run_it(name, teacher, [0, 1], directory=tmp_path / "whole")
    with pytest.raises(Killed):
        run_it(name, teacher, [0, 1], directory=tmp_path / "cut", progress=kill_at(4))
    resumed = run_it(name, teacher, [0, 1], directory=tmp_path / "cut", resume=True)
    for key, value in weights(whole).items():
        assert torch.equal(weights(resumed)[key], value), key
    for key in ("validation", "best_epoch", "test", "history"):
        assert resumed.result[key] == whole.result[key], key
    files = [(tmp_path / d / "metrics.jsonl").read_text() for d in ("whole", "cut")]
    assert files[0] == files[1] and files[0].count("\n") == SHORT.epochs


@pytest.mark.parametrize("name", every_method())
def test_one_seed_alone_equals_one_of_many(name: str, teacher: Run) -> None:
    many, alone = run_it(name, teacher, [0, 7, 3]), run_it(name, teacher, [7])
    peers, batch = many.peers, tiny_task().full_batch()
    # Outputs, not weights: Adam turns rounding in a nearly zero gradient into a step that no output shows.
    for several, one in zip(many.cohorts, alone.cohorts, strict=True):
        # One block of all members holds run 1 at peers..2·peers; one block a peer holds it at 1.
        rows = slice(peers, 2 * peers) if len(many.cohorts) == 1 else slice(1, 2)
        logits = several(batch.x, batch.graph).logits[rows]
        torch.testing.assert_close(logits, one(batch.x, batch.graph).logits, rtol=2e-2, atol=2e-2)
    assert many.result["best_epoch"][peers : 2 * peers] == alone.result["best_epoch"]


@pytest.mark.parametrize("name", every_method())
def test_runs_never_mix(name: str) -> None:
    """The terms and gradients of a run are the same whatever other runs are beside it."""
    many, alone = (set_stage(by_default(name), tiny_task(), seeds) for seeds in ([0, 7, 3], [7]))
    peers = many.group.peers
    a, b = many.total(), alone.total()
    torch.testing.assert_close(a[peers : 2 * peers], b, rtol=1e-4, atol=1e-6)
    if a.requires_grad:
        a.sum().backward(), b.sum().backward()
        pairs = zip(*(s.group.blocks[0].cohort.parameters() for s in (many, alone)), strict=True)
        for several, one in pairs:
            assert (several.grad is None) == (one.grad is None)
            if several.grad is not None and one.grad is not None:
                torch.testing.assert_close(several.grad[peers : 2 * peers], one.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", every_method())
def test_gradients_are_finite_and_stay_with_the_student(name: str) -> None:
    stage = set_stage(by_default(name), tiny_task(), [0, 1])
    for view in [v for v in (stage.t, stage.peers) if v is not None]:
        assert not view.logits.requires_grad and not any(h.pre.requires_grad for h in view.hidden)
    loss = stage.total()
    assert loss.shape == (stage.group.members,) and loss.isfinite().all()
    if not stage.terms():
        assert name == "independent"
        return
    loss.sum().backward()
    grads = [p.grad for p in stage.group.blocks[0].cohort.parameters() if p.grad is not None]
    assert grads and all(g.isfinite().all() for g in grads) and any(g.abs().max() > 0 for g in grads)
    adversary = stage.active[0].parts.adversary
    if adversary is not None:
        assert all(p.grad is None for p in adversary.parameters())


@pytest.mark.parametrize("name", every_method())
def test_no_student_is_better_than_the_target_itself(name: str) -> None:
    """Where the student equals its target, no small change lowers the method's terms (adversaries apart)."""
    stage = set_stage(by_default(name), tiny_task(), [0])
    term = stage.active[0]
    if term.parts.adversary is not None or not stage.terms() or name in NOT_MINIMAL_AT_TARGET:
        assert term.parts.adversary is not None or name in NOT_MINIMAL_AT_TARGET or name == "independent"
        return
    first = map_view(stage.s.detach(), lambda x: x[:1].expand(stage.group.members, -1, -1).contiguous())
    if name in LAYERS_EQUAL:
        first.hidden = [first.hidden[0]] * len(first.hidden)
    at_target = stage.total(first, as_target(first, stage.t)).detach()
    for seed in range(10):
        g = torch.Generator().manual_seed(seed)

        def shift(x: Tensor, g: torch.Generator = g) -> Tensor:
            return x + 0.05 * torch.randn(x.shape, generator=g)

        moved = stage.total(map_view(first, shift), as_target(first, stage.t)).detach()
        assert (moved >= at_target - 1e-6).all(), (moved, at_target)


#: Methods that refuse a teacher wider than the student.
EQUAL_WIDTHS = {"graphakd", "pgkd"}
#: Methods that compare features after maps that are still random: their own tests go without maps, or by closed forms.
THROUGH_LEARNT_MAPS = {"crd", "fitnet", "gcrd", "hkd", "nosmog", "reviewkd"}
#: Methods whose terms include a supervised or self-supervised part, so that the target need not be a minimum.
NOT_MINIMAL_AT_TARGET = {"alignahead++", "gnn-sd", "one", "rod"} | THROUGH_LEARNT_MAPS
#: Methods that compare different layers: the target equals the student where all layers are equal.
LAYERS_EQUAL = {"alignahead"}


#: CRD's memory starts from a random vector for each number of a node: tested by itself with the memory reordered too.
STARTS_FROM_RANDOM_NODES = {"crd"}
#: Methods that draw a number for each node: their own tests go without draws, or with them in the nodes' order.
DRAWS_FOR_EACH_NODE = {"freekd", "nosmog"}


@pytest.mark.parametrize("name", sorted(set(every_method()) - STARTS_FROM_RANDOM_NODES - DRAWS_FOR_EACH_NODE))
def test_order_of_nodes_changes_nothing(name: str) -> None:
    order = np.random.default_rng(0).permutation(120)
    here = set_stage(by_default(name), tiny_task(), [0, 1])
    there = set_stage(by_default(name), tiny_task(order), [0, 1])
    torch.testing.assert_close(here.total(), there.total(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", every_method())
def test_multi_label(name: str) -> None:
    stage = set_stage(by_default(name), tiny_task(multi_label=True), [0])
    assert stage.total().isfinite().all()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_configuration_round_trip(name: str) -> None:
    method = METHODS[name]()
    assert make_method(method.config()) == method
    assert dataclasses.is_dataclass(method) and METHODS[name].__doc__ is not None
    doc = METHODS[name].__doc__ or ""
    assert len(doc) > 200 and "L" in doc, "a method's docstring says what it computes"
