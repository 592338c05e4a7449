"""What an image cohort promises: members that do not mix, hidden layers, running statistics, chunks, state."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from graphstill.errors import CheckpointError, ConfigError, DataError
from graphstill.ops import Noise, SparseFeatures
from graphstill.vision import WRN, ImageModel, ResNet
from graphstill.vision.wrn import WideResidual
from tests.vision.parts import CLASSES, EVERY, SEEDS, SMALL, build, graph, images, noise

every = pytest.mark.parametrize("spec", EVERY, ids=str)
small = pytest.mark.parametrize("spec", SMALL, ids=str)
TINY = ResNet(depth=8, width=0.5)
HEADED = ("mobilenetv2", "shufflenetv2")  # a convolution stands between the last stage and the pooled vector


@every
def test_hidden_layers_are_the_stages_and_the_pooled_vector(spec: ImageModel) -> None:
    cohort, x = build(spec, [5]), images(4, 16)
    out = cohort(x, graph(), noise([5]))
    *stages, pooled = out.hidden
    assert [h.pre.shape[2] for h in stages] == list(spec.stages)
    for hidden in stages:
        assert hidden.dropped is hidden.post and hidden.pre.shape[:2] == (1, 4)
        if spec.name == "mobilenetv2":
            assert hidden.post is hidden.pre and (hidden.pre < 0).any()
        else:
            assert torch.equal(hidden.post, hidden.pre.relu()) and (hidden.pre < 0).any()
    assert pooled.pre is pooled.post is pooled.dropped
    if spec.name not in HEADED:
        assert_close(pooled.post, stages[-1].post.mean((3, 4)))
    classifier = cohort.networks[0].get_submodule("classifier")
    assert_close(out.logits[0], classifier(pooled.post[0]))


def test_wrn_is_tapped_at_the_next_normalisation() -> None:
    cohort, x = build(WRN(depth=10, width=2), [0]), images()
    network = cohort.networks[0]
    assert isinstance(network, WideResidual)
    with torch.no_grad():
        for parameter in network.parameters():  # not where every normalisation is the same
            parameter.add_(0.1 * torch.randn(parameter.shape))
    first, second, _ = cohort(x, graph()).hidden[:3]
    block = list(network.first)
    stem = network.stem(x)
    output = block[0].leave(stem, block[0].enter(stem).relu(), None)
    assert_close(first.pre[0], block[1].enter(output))
    output = block[1].leave(output, first.post[0], None)
    assert_close(second.pre[0], block[2].enter(output))


@small
def test_a_member_is_the_same_alone_and_among_many(spec: ImageModel) -> None:
    torch.manual_seed(0)
    before, x = torch.get_rng_state(), images()
    many, one = build(spec), build(spec, SEEDS[1:])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(many(x, graph()).logits[0], many(x, graph()).logits[1])
    for given in (None, many):
        out = many(x, graph(), given and noise()).logits
        alone = one(x, graph(), given and noise(SEEDS[1:])).logits
        assert torch.equal(out[1], alone[0])
    out[1].square().sum().backward()
    alone[0].square().sum().backward()
    for ours, theirs in zip(many.member_parameters(1), one.member_parameters(0), strict=True):
        assert ours.grad is not None and theirs.grad is not None
        assert ours.grad.isfinite().all() and torch.equal(ours.grad, theirs.grad)
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in many.member_parameters(0))


@small
def test_every_parameter_learns(spec: ImageModel) -> None:
    cohort = build(spec, [0])
    out = cohort(images(8, 16), graph(8), noise([0]))
    F.cross_entropy(out.logits[0], torch.arange(8) % CLASSES).backward()
    for name, parameter in cohort.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all()
        # A bias in front of a batch normalisation has none, up to rounding.
        assert parameter.grad.any() or name.endswith("conv.bias"), name


@small
def test_training_moves_running_statistics_and_evaluation_does_not(spec: ImageModel) -> None:
    cohort, x = build(spec, [0]), images()
    statistics = {name: tensor.clone() for name, tensor in cohort.named_buffers() if "running" in name}
    first = cohort(x, graph()).logits
    assert torch.equal(cohort(x, graph()).logits, first)
    assert all(torch.equal(tensor, cohort.get_buffer(name)) for name, tensor in statistics.items())
    cohort(x, graph(), noise([0]))
    assert not any(torch.equal(tensor, cohort.get_buffer(name)) for name, tensor in statistics.items())
    assert not torch.equal(cohort(x, graph()).logits, first)


def test_evaluation_in_chunks() -> None:
    cohort, x = build(TINY), images(300)
    with torch.no_grad():
        whole = cohort(x, graph(300))
        assert whole.hidden == () and len(cohort(x[:256], graph(256)).hidden) == 4
    attached = cohort(x, graph(300))
    assert len(attached.hidden) == 4 and attached.logits.requires_grad
    assert_close(whole.logits, attached.logits)
    with torch.no_grad():
        assert len(cohort(x, graph(300), noise()).hidden) == 4  # a training pass is never cut


@every
def test_a_member_is_a_plain_module(spec: ImageModel) -> None:
    cohort, x = build(spec), images()
    cohort.smooth(1.0)
    member, out = cohort.member(1), cohort(x, graph()).logits
    assert not member.training and torch.equal(member(x), out[1])
    cohort.smooth(0.0)
    with torch.no_grad():
        for parameter in cohort.parameters():
            parameter.zero_()
    assert torch.equal(member(x), out[1])
    with pytest.raises(ConfigError, match=r"member 1 of .* has no form in PyG.*take member\(i\)"):
        cohort.to_pyg(1)


@small
def test_state_travels_with_statistics_and_smoothing(spec: ImageModel) -> None:
    cohort, other, x = build(spec), build(spec, [11]), images()
    cohort(x, graph(), noise())
    cohort.smooth(0.7)
    state = cohort.member_state(1)
    assert state["smoothing"] == torch.tensor(0.7) and all(t.is_floating_point() for t in state.values())
    assert all(t.is_contiguous() and not t.requires_grad for t in state.values())
    other.load_member_state(0, state)
    assert torch.equal(other(x, graph()).logits[0], cohort(x, graph()).logits[1])
    state["smoothing"].zero_()
    assert cohort.smoothing[1] == other.smoothing[0] != 0
    assert other.networks[0].state_dict().keys() == state.keys() - {"smoothing"}
    del state["smoothing"]
    with pytest.raises(CheckpointError, match="'smoothing' is missing"):
        other.load_member_state(0, state)


def test_select_copies_in_order() -> None:
    cohort, x = build(TINY, [1, 2, 3]), images()
    cohort.smooth(1.0)
    chosen = cohort.select([2, 0])
    assert chosen.seeds == (3, 1)
    out = cohort(x, graph()).logits
    assert torch.equal(chosen(x, graph()).logits, out[[2, 0]])
    chosen.smooth(0.0)
    chosen(x, graph(), noise([3, 1]))
    assert torch.equal(cohort(x, graph()).logits, out)
    with pytest.raises(ConfigError, match="no member selected"):
        cohort.select([])


def test_maps_are_in_channels_last_layout() -> None:
    cohort = build(TINY)
    for hidden in cohort(images(), graph()).hidden[:-1]:
        for maps in hidden.pre:
            assert maps.is_contiguous(memory_format=torch.channels_last)
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in cohort.parameters() if p.dim() == 4)


def test_double_precision() -> None:
    cohort = build(TINY).double()
    cohort.smooth(1.0)
    assert_close(cohort(images().double(), graph()).logits.float(), cohort.float()(images(), graph()).logits)


def test_refusals() -> None:
    cohort = build(TINY)
    assert not cohort.stacked and not cohort.noiseless
    for x in (images(3), images(4, channels=1), torch.ones(4, 3), torch.ones(2, 4, 3, 8, 8)):
        with pytest.raises(DataError, match=r"images of shape .*give \[4, 3, height, width\]"):
            cohort(x, graph(4))
    with pytest.raises(DataError, match="images of shape"):
        cohort(SparseFeatures.from_dense(torch.ones(4, 3)), graph(4))
    with pytest.raises(DataError, match=r"float64.*float32.*convert"):
        cohort(images().double(), graph())
    with pytest.raises(ConfigError, match=r"noise for 1 members given to 2"):
        cohort(images(), graph(), Noise([0]))
    with pytest.raises(DataError, match=r"images of 7x7 pixels.*at least 8x8"):
        build(SMALL[3])(images(size=7), graph())
    with pytest.raises(ConfigError, match=r"sigma=-1.0"):
        cohort.smooth(-1.0)
    with pytest.raises(ConfigError, match="there is no member 2"):
        cohort.member_parameters(2)
