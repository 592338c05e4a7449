"""What holds for every registered model, plain and with its other options."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from graphstill.errors import ConfigError, DataError
from graphstill.nn import GAT, MODELS, SGC, Model
from graphstill.testing.models import CHECKS, run_check
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


@pytest.mark.parametrize(("spec", "check"), [(s, c) for c in CHECKS for s in (PLAIN if c == "learns" else SPECS)])
def test_what_holds_for_every_model(spec: Model, check: str) -> None:
    wider = {"hidden": 16} if check == "learns" and hasattr(spec, "hidden") else {}
    run_check(check, dataclasses.replace(spec, **wider))


def test_every_registered_model_is_tested_here() -> None:
    assert {spec.name for spec in PLAIN} == {name for name, model in MODELS.items() if model.takes == "graph"}


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
