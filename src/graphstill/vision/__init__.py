"""CNNs for small images, as cohorts: the networks of the CIFAR-100 distillation benchmark. Importing registers them."""

from graphstill.vision.cohort import ImageCohort
from graphstill.vision.mobilenetv2 import MobileNetV2
from graphstill.vision.model import ImageModel
from graphstill.vision.narrow import corrupts_here
from graphstill.vision.resnet import ResNet, ResNet50
from graphstill.vision.shufflenet import ShuffleNetV1, ShuffleNetV2
from graphstill.vision.vgg import VGG
from graphstill.vision.wrn import WRN

__all__ = [
    "VGG",
    "WRN",
    "ImageCohort",
    "ImageModel",
    "MobileNetV2",
    "ResNet",
    "ResNet50",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "corrupts_here",
]
