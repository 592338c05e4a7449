"""PLP: label propagation in the limit of one option, an MLP in that of another, and labels that stay what they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.testing import assert_close

from graphstill.errors import ConfigError, DataError
from graphstill.nn import MLP, PLP, KnownLabels, Model
from graphstill.nn.plp import FLOOR, PLPCohort
from graphstill.ops import Adjacency
from tests.nn.parts import CLASSES, FEATURES, NODES, SPECS, build, dense, edges, graph, known, label, noise, scramble

PLPS = [spec for spec in SPECS if isinstance(spec, PLP)]
Array = NDArray[np.float64]


def cohort_of(spec: Model) -> PLPCohort:
    cohort = build(spec)
    assert isinstance(cohort, PLPCohort)
    return cohort


def probabilities(cohort: PLPCohort) -> Tensor:
    return cohort(dense(), graph()).logits.exp().detach()


def propagated(hops: int, scores: Array, share: Array, own: Array) -> Array:
    """The recurrence, node by node and edge by edge."""
    source, target = edges().numpy()
    into: list[list[int]] = [[i] for i in range(NODES)]
    for j, i in zip(source, target, strict=True):
        if i != j:
            into[i].append(j)
    labels = known().labels.numpy()
    y = np.stack([np.full(CLASSES, 1 / CLASSES) if c < 0 else np.eye(CLASSES)[c] for c in labels])
    for _ in range(hops):
        new = y.copy()
        for i in np.flatnonzero(labels < 0):
            weight = np.exp(scores[into[i]])
            new[i] = share[i] * (weight / weight.sum()) @ y[into[i]] + (1 - share[i]) * own[i]
        y = new
    return y


@pytest.mark.parametrize("hops", [1, 4])
def test_propagation_alone_is_label_propagation(hops: int) -> None:
    """As built: no score has been learnt, so that every neighbour weighs the same."""
    expected = propagated(hops, np.zeros(NODES), np.ones(NODES), np.zeros((NODES, CLASSES)))
    assert len(np.unique(expected.round(9), axis=0)) > CLASSES + 1  # labels have reached nodes
    found = probabilities(cohort_of(PLP(layers=0, hops=hops)))
    np.testing.assert_allclose(found.numpy(), np.stack([expected] * 3), atol=2 * FLOOR)
    # With an MLP that no node listens to: the same, to the bit.
    beside = cohort_of(PLP(hidden=6, hops=hops))
    torch.nn.init.constant_(beside.get_parameter("share.weight"), 50.0)
    assert torch.equal(probabilities(beside), found)


def test_without_a_share_of_propagation_it_is_the_mlp() -> None:
    cohort, mlp = cohort_of(PLP(hidden=6, hops=3)), build(MLP(hidden=6))
    scramble(cohort)
    torch.nn.init.constant_(cohort.get_parameter("share.weight"), -1000.0)
    mlp.load_state_dict({k: v for k, v in cohort.state_dict().items() if k.startswith("lins")})
    free = known().labels < 0
    expected = mlp(dense(), graph()).logits.softmax(-1)
    assert_close(probabilities(cohort)[:, free], expected[:, free].detach())


@pytest.mark.parametrize("scores", ["transductive", "inductive"])
def test_recurrence_with_learnt_weights(scores: str) -> None:
    cohort = cohort_of(PLP(hidden=6, hops=3, scores=scores))
    scramble(cohort)
    mlp = build(MLP(hidden=6))
    mlp.load_state_dict({k: v for k, v in cohort.state_dict().items() if k.startswith("lins")})
    found = probabilities(cohort)
    for m in range(3):
        weight = cohort.get_parameter("scores.weight")[m].detach()
        score = (dense() @ weight if scores == "inductive" else weight).squeeze(-1)
        share = cohort.get_parameter("share.weight")[m].detach().sigmoid().squeeze(-1)
        own = mlp(dense(), graph()).logits[m].softmax(-1).detach()
        expected = propagated(3, score.numpy(), share.numpy(), own.numpy())
        np.testing.assert_allclose(found[m].numpy(), expected, atol=2 * FLOOR)
    assert_close(found.sum(-1), torch.ones(3, NODES, dtype=torch.float64))


@pytest.mark.parametrize("spec", [*PLPS, PLP(layers=0)], ids=label)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_known_labels_stay_to_the_bit(spec: PLP, dtype: torch.dtype) -> None:
    cohort = build(spec, dtype=dtype)
    scramble(cohort)
    rows = (known().labels >= 0).nonzero().squeeze(1)
    one_hot = torch.eye(CLASSES, dtype=dtype)[known().labels[rows]]
    expected = one_hot if spec.released else one_hot.clamp(min=FLOOR).log()
    for drawn in (None, noise()):
        logits = cohort(dense(dtype), graph(), drawn).logits
        assert all(torch.equal(member[rows], expected) for member in logits)
        gradient = torch.autograd.grad(logits[:, rows].sum(), list(cohort.parameters()))
        assert all((g == 0).all() for g in gradient)


def test_released_scores_are_not_negative_and_not_probabilities() -> None:
    cohort = cohort_of(PLP(hidden=6, released=True))
    torch.nn.init.constant_(cohort.get_parameter("lins.1.bias"), 5.0)
    logits = cohort(dense(), graph()).logits
    assert (logits >= 0).all() and logits.max() > 2


@pytest.mark.parametrize("spec", PLPS, ids=label)
def test_labels_are_saved_with_the_weights(spec: PLP) -> None:
    cohort, other = build(spec), build(spec, labels=KnownLabels.none(NODES))
    scramble(cohort)
    before = other(dense(), graph()).logits
    other.load_state_dict(cohort.state_dict())
    assert torch.equal(other(dense(), graph()).logits, cohort(dense(), graph()).logits)
    assert not torch.allclose(before, other(dense(), graph()).logits)


def test_it_belongs_to_one_graph() -> None:
    spec = PLP(hidden=6)
    for build_it in (spec.build, spec.allocate):
        with pytest.raises(ConfigError, match=r"PLP has weights for each node.*known=KnownLabels"):
            build_it(FEATURES, CLASSES, [0])
    with pytest.raises(ConfigError, match="known=KnownLabels"):
        spec.parameters_count(FEATURES, CLASSES)
    with pytest.raises(ConfigError, match=r"a known label is 3.*outputs=3"):
        spec.build(FEATURES, 3, [0], known())
    cohort = build(spec)
    small = Adjacency.from_edge_index(edges()[:, (edges() < 10).all(0)], 10)
    with pytest.raises(DataError, match=r"a graph of 10 nodes, for PLP.*built for one of 14"):
        cohort(dense()[:10], small)
    with pytest.raises(DataError, match="built for one of 14"):
        cohort.member(0)(dense()[:10], edges()[:, (edges() < 10).all(0)])


def test_attention_dropout_thins_the_edges_of_every_step() -> None:
    """Alone, without dropout elsewhere, it makes members and steps differ; on average a neighbour keeps its weight."""
    spec = PLP(layers=0, hops=1, attention_dropout=0.5)
    cohort, calm = build(spec, list(range(2000))), cohort_of(dataclasses.replace(spec, attention_dropout=0.0))
    assert not cohort.noiseless and build(PLP(layers=0, dropout=0.0, attention_dropout=0.0)).noiseless
    mean = cohort(dense(), graph(), noise(list(range(2000)))).logits.exp().mean(0)
    assert (mean - probabilities(calm)[0]).abs().max() < 0.05
