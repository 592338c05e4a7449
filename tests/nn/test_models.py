"""What holds for every registered model, plain and with its other options."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from graphstill.errors import ConfigError, DataError
from graphstill.nn import GAT, MODELS, SGC, KnownLabels, Model
from graphstill.ops import Adjacency
from tests.nn.parts import (
    CLASSES,
    FEATURES,
    NODES,
    PLAIN,
    SEEDS,
    SPECS,
    build,
    dense,
    edges,
    gradients,
    graph,
    in_place_of_weights,
    known,
    label,
    noise,
    probe,
    scramble,
    sparse,
)

every = pytest.mark.parametrize("spec", SPECS, ids=label)


def test_every_registered_model_is_tested_here() -> None:
    assert {spec.name for spec in PLAIN} == {name for name, model in MODELS.items() if model.takes == "graph"}


@every
@pytest.mark.parametrize("features", [dense, sparse])
def test_one_member_is_the_same_alone_and_among_many(spec: Model, features: type) -> None:
    many, one = build(spec), build(spec, [7])
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor[0], many.state_dict()[name][1]), name
    x = features()
    for many_noise, one_noise in ((None, None), (noise(), noise([7]))):
        out, alone = many(x, graph(), many_noise), one(x, graph(), one_noise)
        assert_close(out.logits[1], alone.logits[0])
        for layer, layer_alone in zip(out.hidden, alone.hidden, strict=True):
            assert_close(layer.dropped[1], layer_alone.dropped[0])
        expected = gradients(one, alone)
        for name, gradient in gradients(many, out).items():
            assert_close(gradient[1], expected[name][0], msg=name)


@every
@pytest.mark.parametrize("features", ["dense", "sparse", "own"])
def test_looped_equals_stacked(spec: Model, features: str) -> None:
    x = {"dense": dense(), "sparse": sparse(), "own": torch.stack([dense(), dense() + 1.0, -dense()])}[features]
    stacked, looped = build(spec), build(spec)
    stacked.execution, looped.execution = "stacked", "looped"
    scramble(stacked)
    scramble(looped)
    for step in (None, 1, 2):
        drawn = [None if step is None else noise(step=step) for _ in range(2)]
        out, other = stacked(x, graph(), drawn[0]), looped(x, graph(), drawn[1])
        assert_close(other.logits, out.logits)
        assert_close(other.heads, out.heads)
        for layer, layer_other in zip(out.hidden, other.hidden, strict=True):
            for place in ("pre", "post", "dropped"):
                assert_close(getattr(layer_other, place), getattr(layer, place))
        expected = gradients(stacked, out)
        for name, gradient in gradients(looped, other).items():
            assert_close(gradient, expected[name], msg=name)
    for name, buffer in looped.named_buffers():
        assert_close(buffer, dict(stacked.named_buffers())[name], msg=name)


@every
def test_equal_to_pyg_in_outputs_and_gradients(spec: Model) -> None:
    cohort = build(spec)
    scramble(cohort)
    out = cohort(sparse(), graph())
    slopes = in_place_of_weights(cohort, gradients(cohort, out))
    for i in range(len(SEEDS)):
        reference = cohort.to_pyg(i)
        logits = reference(dense(), edges())
        assert_close(logits, out.logits[i])
        probe(logits.unsqueeze(0)).sum().backward()
        expected = dict(slopes.to_pyg(i).named_parameters())  # type: ignore[operator]
        for name, parameter in reference.named_parameters():
            assert_close(parameter.grad, expected[name].detach(), msg=name)


@every
def test_equal_to_pyg_in_single_precision(spec: Model) -> None:
    cohort = build(spec, dtype=torch.float32)
    expected = cohort.to_pyg(2)(dense(torch.float32), edges())
    assert_close(cohort(sparse(torch.float32), graph()).logits[2], expected, rtol=1e-5, atol=1e-5)


@every
def test_training_equals_pyg_with_the_same_dropout(spec: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyG's stack in ``train()`` mode, its dropout drawing from the member's noise in the order of the layers."""
    off = {key: 0.0 for key in ("attention_dropout", "drop_edge") if hasattr(spec, key)}
    cohort = build(dataclasses.replace(spec, **off))
    scramble(cohort)
    references = [cohort.to_pyg(i).train() for i in range(len(SEEDS))]
    out = cohort(dense(), graph(), noise())

    def drawn(x: Tensor, p: float = 0.5, training: bool = True) -> Tensor:
        assert training
        return x if p == 0 else own.dropout(x, p)[0]

    monkeypatch.setattr(torch.nn.functional, "dropout", drawn)
    for i, reference in enumerate(references):
        own = noise().member(i)
        assert_close(reference(dense(), edges()), out.logits[i])
        buffers = {name: buffer for name, buffer in reference.named_buffers() if "running" in name}
        expected = dict(cohort.to_pyg(i).named_buffers())
        for name, buffer in buffers.items():
            assert_close(buffer, expected[name], msg=name)


@every
def test_initial_weights_have_pygs_distribution(spec: Model) -> None:
    """Per tensor: equal spread, equal bound where it is uniform, zero where PyG's is."""
    wide = dataclasses.replace(spec, **{key: 48 for key in ("hidden",) if hasattr(spec, key)})
    module = wide.build(200, 30, [0, 1], known()).to_pyg(1)
    ours = {name: p.detach().clone() for name, p in module.named_parameters()}
    torch.manual_seed(0)
    for part in module.modules():
        if part is not module and callable(getattr(part, "reset_parameters", None)):
            part.reset_parameters()  # type: ignore[operator]
    for name, theirs in module.named_parameters():
        if theirs.numel() == 1:
            continue  # one draw shows no distribution
        if theirs.numel() >= 1000:
            assert ours[name].std().item() == pytest.approx(theirs.std().item(), rel=0.1), name
            assert ours[name].abs().max().item() == pytest.approx(theirs.abs().max().item(), rel=0.02), name
        elif theirs.std() == 0:
            assert torch.equal(ours[name], theirs), name
        else:
            bound = theirs.abs().max().item()
            assert 0.5 * bound < ours[name].abs().max().item() < 2.0 * bound, name


@every
def test_initial_weights_do_not_depend_on_the_precision(spec: Model) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        wide = spec.build(FEATURES, CLASSES, SEEDS, known())
    finally:
        torch.set_default_dtype(torch.float32)
    narrow = spec.build(FEATURES, CLASSES, SEEDS, known())
    for name, parameter in narrow.named_parameters():
        assert_close(dict(wide.named_parameters())[name], parameter.double(), rtol=1e-6, atol=1e-6)


@every
def test_members_do_not_mix_and_every_weight_is_used(spec: Model) -> None:
    cohort = build(spec)
    out = cohort(dense(), graph(), noise())
    parameters = list(cohort.parameters())
    for i in range(len(SEEDS)):
        found = torch.autograd.grad(probe(out.logits)[i], parameters, retain_graph=True)
        for (name, _), gradient in zip(cohort.named_parameters(), found, strict=True):
            used = gradient.flatten(1).abs().amax(1) > 0
            # A bias in front of batch normalisation is taken out again by it; its gradient is zero but for rounding.
            if not name.endswith("first.bias") and not (name.startswith("lins") and len(list(cohort.buffers()))):
                assert used[i], name
            assert used.sum() == used[i], name


@every
def test_members_differ(spec: Model) -> None:
    logits = build(spec)(dense(), graph()).logits
    assert all((a - b).abs().max() > 1e-3 for a, b in pairwise(logits))


@every
def test_renumbering_nodes_renumbers_the_output(spec: Model) -> None:
    cohort = build(spec)
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(0))
    place = torch.empty_like(order)
    place[order] = torch.arange(NODES)
    renumbered = Adjacency.from_edge_index(place[edges()], NODES)
    other = build(spec, labels=KnownLabels(known().labels[order]))
    assert_close(other(dense()[order], renumbered).logits, cohort(dense(), graph()).logits[:, order])


@every
def test_graphs_in_a_batch_do_not_touch(spec: Model) -> None:
    cohort, x = build(spec), dense()
    two = build(spec, labels=KnownLabels(known().labels.repeat(2)))
    both = two(torch.cat([x, x.flip(0)]), Adjacency.disjoint([graph(), graph()])).logits
    assert_close(both[:, :NODES], cohort(x, graph()).logits)
    assert_close(both[:, NODES:], cohort(x.flip(0), graph()).logits)


@every
def test_sparse_features_equal_dense_ones(spec: Model) -> None:
    cohort = build(spec)
    assert_close(cohort(sparse(), graph()).logits, cohort(dense(), graph()).logits)
    own = dense().expand(len(SEEDS), -1, -1)
    assert_close(cohort(own, graph()).logits, cohort(dense(), graph()).logits)


@every
def test_hidden_features(spec: Model) -> None:
    cohort = build(spec)
    layers = 0 if isinstance(spec, SGC) else getattr(spec, "layers", 1) - (spec.name not in ("gcnii", "rod", "gine"))
    width = getattr(spec, "hidden", 0) * (spec.heads if isinstance(spec, GAT) else 1)
    for drawn in (None, noise()):
        out = cohort(dense(), graph(), drawn)
        assert out.logits.shape == (3, NODES, CLASSES) and len(out.hidden) == layers
        assert out.heads is None or torch.equal(out.heads.mean(1), out.logits)
        for layer in out.hidden:
            assert layer.pre.shape == layer.post.shape == layer.dropped.shape == (3, NODES, width)
            linear = spec.name == "gine" and layer is out.hidden[-1]
            assert torch.equal(layer.pre, layer.post) == linear
            dropping = drawn is not None and getattr(spec, "dropout", 0.0) > 0
            assert (layer.dropped is layer.post) != dropping
            if dropping:
                assert (layer.dropped == 0).sum() > (layer.post == 0).sum()


@every
def test_noise_is_repeatable_and_deterministic_cohorts_have_none(spec: Model) -> None:
    cohort = build(spec)
    options = spec.options()
    random = any(options.get(key, 0.0) for key in ("dropout", "attention_dropout", "drop_edge"))
    first, again, other = (cohort(dense(), graph(), noise(step=step)).logits for step in (1, 1, 2))
    assert torch.equal(first, again)
    assert torch.equal(first, other) != random
    cohort.deterministic = True
    calm = cohort(dense(), graph(), noise(step=1))
    assert torch.equal(calm.logits, cohort(dense(), graph(), noise(step=2)).logits)
    assert all(layer.dropped is layer.post for layer in calm.hidden)


@every
def test_noiseless_means_that_training_computes_what_evaluation_does(spec: Model) -> None:
    """The engine shares one pass between both where a cohort says so: noise that it overlooked would be lost."""
    cohort = build(spec)
    same = torch.equal(cohort(dense(), graph(), noise(step=1)).logits, cohort(dense(), graph()).logits)
    assert cohort.noiseless == same


@every
def test_wrong_input_is_refused(spec: Model) -> None:
    cohort = build(spec)
    member = cohort.member(0)
    x: Tensor
    for x in (dense(width=FEATURES + 1), dense()[:-1], dense().expand(2, -1, -1)):
        with pytest.raises(DataError, match=r"features of shape .*give \[14, 9\]"):
            cohort(x, graph())
    with pytest.raises(DataError, match=r"float32.*float64.*convert"):
        cohort(dense(torch.float32), graph())
    with pytest.raises(ConfigError, match="noise for 2 members"):
        cohort(dense(), graph(), noise([1, 2]))
    with pytest.raises(DataError, match=r"features of shape \[14, 10\]"):
        member(dense(width=10), edges())
    with pytest.raises(DataError, match=r"features of shape \[9\]"):
        member(dense()[0], edges())
    with pytest.raises(DataError, match=r"node 1[45]"):
        member(dense(), edges() + 2)
    with pytest.raises(DataError, match="edge_index"):
        member(dense(), edges().t())
    with pytest.raises(ConfigError, match="no member 3"):
        cohort.member(3)


@pytest.mark.parametrize("spec", PLAIN, ids=label)
def test_learns(spec: Model) -> None:
    """Two kinds of nodes, edges within each kind: sixty steps tell them apart, for every member."""
    generator = torch.Generator().manual_seed(0)
    kind = torch.arange(40) % 2
    pairs = torch.randint(20, (2, 100), generator=generator) * 2
    index = torch.cat([pairs, pairs + 1, pairs.flip(0), pairs.flip(0) + 1], dim=1)
    adjacency = Adjacency.from_edge_index(index, 40)
    x = torch.randn(40, 8, generator=generator) + 1.5 * kind.unsqueeze(1)
    spec = dataclasses.replace(spec, **{key: 16 for key in ("hidden",) if hasattr(spec, key)})
    cohort = spec.build(8, 2, SEEDS, KnownLabels.none(40))
    optimizer = torch.optim.Adam(cohort.parameters(), lr=0.05)
    for step in range(60):
        logits = cohort(x, adjacency, noise(step=step)).logits
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), kind.repeat(len(SEEDS)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (cohort(x, adjacency).logits.argmax(-1) == kind).double().mean(1)
    assert accuracy.min() > 0.9, accuracy
