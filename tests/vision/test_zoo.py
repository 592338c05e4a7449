"""The networks are those of the benchmark: parameters, stages, sizes of the maps, initial weights, options."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from graphstill.errors import ConfigError
from graphstill.nn import MODELS, make_model
from graphstill.vision import VGG, WRN, ImageModel, MobileNetV2, ResNet, ResNet50, ShuffleNetV1, ShuffleNetV2
from graphstill.vision.layers import BatchNorm2d, Conv2d, shuffle
from tests.vision.parts import EVERY, build

# Trainable numbers for 3 channels and 100 classes of the networks in the benchmark of contrastive representation
# distillation. Those of depth 8, 14 and 44 at width 1, of WRN-16-1 and of VGG 11, 16 and 19 are our own count.
PARAMETERS = {
    ResNet(depth=8): 83_892,
    ResNet(depth=14): 181_108,
    ResNet(depth=20): 278_324,
    ResNet(depth=32): 472_756,
    ResNet(depth=44): 667_188,
    ResNet(depth=56): 861_620,
    ResNet(depth=110): 1_736_564,
    ResNet(depth=8, width=4): 1_233_540,
    ResNet(depth=32, width=4): 7_433_860,
    WRN(depth=16, width=1): 180_916,
    WRN(depth=16, width=2): 703_284,
    WRN(depth=40, width=1): 569_780,
    WRN(depth=40, width=2): 2_255_156,
    VGG(depth=8): 3_965_028,
    VGG(depth=11): 9_277_284,
    VGG(depth=13): 9_462_180,
    VGG(depth=16): 14_774_436,
    VGG(depth=19): 20_086_692,
    MobileNetV2(): 812_836,
    ShuffleNetV1(): 949_258,
    ShuffleNetV2(): 1_355_528,
    ResNet50(): 23_705_252,
}

# Stages (channels, height at 32x32), and the width of the pooled vector.
TAPS = {
    ResNet(depth=8): ([(16, 32), (32, 16), (64, 8)], 64),
    ResNet(depth=8, width=4): ([(64, 32), (128, 16), (256, 8)], 256),
    WRN(depth=16, width=2): ([(32, 32), (64, 16), (128, 8)], 128),
    VGG(depth=13): ([(128, 16), (256, 8), (512, 4), (512, 4)], 512),
    MobileNetV2(): ([(12, 16), (16, 8), (48, 4), (160, 2)], 1280),
    ShuffleNetV1(): ([(240, 16), (480, 8), (960, 4)], 960),
    ShuffleNetV2(): ([(116, 16), (232, 8), (464, 4)], 1024),
    ResNet50(): ([(256, 32), (512, 16), (1024, 8), (2048, 4)], 2048),
}


@pytest.mark.parametrize("spec", PARAMETERS, ids=str)
def test_parameters(spec: ImageModel) -> None:
    assert spec.parameters_count(3, 100) == PARAMETERS[spec]


@pytest.mark.parametrize("spec", TAPS, ids=str)
def test_taps(spec: ImageModel) -> None:
    with torch.device("meta"):
        network = spec.network(3, 100)
        logits, taps, pooled = network(torch.empty(2, 3, 32, 32))
    stages, width = TAPS[spec]
    for tap, (channels, size) in zip(taps, stages, strict=True):
        assert tap.pre.shape == tap.post.shape == (2, channels, size, size)
    assert spec.stages == tuple(channels for channels, _ in stages)
    assert pooled.shape == (2, width) and logits.shape == (2, 100)


@pytest.mark.parametrize("spec", TAPS, ids=str)
@pytest.mark.parametrize("size", [8, 28])
def test_other_sizes_and_one_channel(spec: ImageModel, size: int) -> None:
    with torch.device("meta"):
        assert spec.network(1, 10)(torch.empty(2, 1, size, size)).logits.shape == (2, 10)


@pytest.mark.parametrize("spec", EVERY, ids=str)
def test_registered_under_its_name_and_taken_for_images(spec: ImageModel) -> None:
    assert make_model(spec.name, **spec.options()) == spec and MODELS[spec.name] is type(spec)
    assert spec.takes == "image"
    assert spec.defaults["lr"] == (0.01 if "net" in spec.name and "resnet" not in spec.name else 0.05)


@pytest.mark.parametrize("spec", EVERY, ids=str)
def test_initial_weights(spec: ImageModel) -> None:
    cohort = build(spec, [0])
    shuffled = spec.name.startswith("shufflenet")
    for module in cohort.modules():
        if isinstance(module, Conv2d) and module.weight.numel() > 2000:
            # He's by fan out; torch's own is U(-1/sqrt(fan in), 1/sqrt(fan in)), of variance 1/(3 fan in).
            outputs, inputs, *size = module.weight.shape
            variance = 1 / (3 * inputs * math.prod(size)) if shuffled else 2 / (outputs * math.prod(size))
            assert module.weight.var().item() == pytest.approx(variance, rel=0.2)
        elif isinstance(module, BatchNorm2d):
            assert (module.weight == 1).all() and (module.bias == 0).all() and (module.running_var == 1).all()
    classifier = cohort.networks[0].get_submodule("classifier")
    assert isinstance(classifier, nn.Linear)
    assert bool((classifier.bias == 0).all()) == (spec.name in ("wrn", "vgg", "mobilenetv2"))
    if spec.name in ("vgg", "mobilenetv2"):
        assert classifier.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_shuffle_is_torchs() -> None:
    x = torch.randn(2, 12, 3, 5)
    for groups in (2, 3):
        assert torch.equal(shuffle(x, groups), torch.channel_shuffle(x, groups))
        assert shuffle(x, groups).is_contiguous(memory_format=torch.channels_last)


def test_normalisation_is_torchs() -> None:
    ours, theirs = BatchNorm2d(3), nn.BatchNorm2d(3)
    x = torch.randn(4, 3, 5, 5)
    for training in (True, True, False):
        assert torch.equal(ours.train(training)(x), theirs.train(training)(x))
    theirs.num_batches_tracked = None
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], tensor)
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet", {"depth": 21}),
        ("resnet", {"depth": 2}),
        ("resnet", {"depth": 8.0}),
        ("resnet", {"width": 0.3}),
        ("resnet", {"width": 0}),
        ("wrn", {"depth": 20}),
        ("wrn", {"width": "2"}),
        ("vgg", {"depth": 12}),
        ("vgg", {"depth": True}),
        ("mobilenetv2", {"width": 0.05}),
        ("mobilenetv2", {"expansion": 0}),
    ],
)
def test_refused_options(name: str, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"{next(iter(options))}=.* in \w+: give"):
        make_model(name, **options)
