"""Members of every registered model: standalone, selected, saved and loaded, counted."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from graphstill.errors import CheckpointError
from graphstill.nn import Model
from tests.nn.parts import (
    CLASSES,
    FEATURES,
    SPECS,
    build,
    dense,
    edges,
    graph,
    known,
    label,
    probe,
    scramble,
    sparse,
)

every = pytest.mark.parametrize("spec", SPECS, ids=label)


@every
def test_standalone_member(spec: Model) -> None:
    cohort = build(spec)
    scramble(cohort)
    expected = cohort(dense(), graph()).logits[1].detach()
    member = cohort.member(1)
    state = cohort.member_state(1)
    scramble(cohort, seed=6)
    assert not member.training
    assert_close(member(dense(), edges()), expected)
    assert_close(member(sparse(), graph()), expected)
    assert member.state_dict().keys() == state.keys()
    for name, tensor in member.state_dict().items():
        assert torch.equal(tensor, state[name]) and tensor.shape == cohort.state_dict()[name].shape[1:]
    probe(member(dense(), edges()).unsqueeze(0)).sum().backward()
    assert all(parameter.grad is not None for parameter in member.parameters())


@every
def test_standalone_member_can_be_fine_tuned(spec: Model) -> None:
    member = build(spec).member(0).train()
    torch.manual_seed(1)
    first, second = member(dense(), edges()), member(dense(), edges())
    torch.manual_seed(1)
    assert torch.equal(member(dense(), edges()), first)
    options = spec.options()
    random = any(options.get(key, 0.0) for key in ("dropout", "attention_dropout", "drop_edge"))
    assert torch.equal(first, second) != random


@every
def test_select(spec: Model) -> None:
    cohort = build(spec)
    scramble(cohort)
    cohort.deterministic, cohort.execution = True, "looped"
    next(cohort.parameters()).requires_grad_(False)
    chosen = cohort.select([2, 0])
    assert chosen.seeds == (9, 3) and chosen.deterministic and chosen.execution == "looped"
    assert_close(chosen(dense(), graph()).logits, cohort(dense(), graph()).logits[[2, 0]])
    assert [p.requires_grad for p in chosen.parameters()] == [p.requires_grad for p in cohort.parameters()]
    before = chosen(dense(), graph()).logits.detach()
    scramble(cohort, seed=6)
    assert torch.equal(chosen(dense(), graph()).logits, before)


@every
def test_member_state_is_a_copy_that_can_be_loaded(spec: Model) -> None:
    cohort, other = build(spec), build(spec)
    scramble(cohort)
    expected = cohort(dense(), graph()).logits.detach()
    states = [cohort.member_state(i) for i in range(3)]
    scramble(cohort, seed=6)
    for i, state in enumerate(states):
        other.load_member_state(i, state)
    assert_close(other(dense(), graph()).logits, expected)
    name = next(iter(states[0]))
    with pytest.raises(CheckpointError, match=rf"{name}.*is missing"):
        other.load_member_state(0, {k: v for k, v in states[0].items() if k != name})
    with pytest.raises(CheckpointError, match=r"extra.*is unknown"):
        other.load_member_state(0, {**states[0], "extra": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=rf"{name}.*shape \[1\]"):
        other.load_member_state(0, {**states[0], name: torch.zeros(1)})


@every
def test_member_parameters_are_views(spec: Model) -> None:
    cohort = build(spec)
    with torch.no_grad():
        for view in cohort.member_parameters(1):
            view.fill_(0.25)
    for parameter in cohort.parameters():
        assert (parameter[1] == 0.25).all() and not (parameter[0] == 0.25).any()


@every
def test_parameters_count(spec: Model) -> None:
    count = spec.parameters_count(FEATURES, CLASSES, known())
    assert count == sum(parameter.numel() for parameter in build(spec).to_pyg(0).parameters())
    assert count == sum(parameter[0].numel() for parameter in build(spec).parameters())


@every
def test_weights_can_be_saved_and_cohorts_resume(spec: Model) -> None:
    cohort, other = build(spec), build(spec, [0, 1, 2])
    other.load_state_dict(cohort.state_dict())
    assert torch.equal(other(dense(), graph()).logits, cohort(dense(), graph()).logits)
