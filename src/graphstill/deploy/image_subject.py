"""What is exported of a run on images: its members behind one network that reads bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from graphstill.data.images.augment import as_floats, scale_and_shift
from graphstill.deploy.ensemble import ensemble_logits
from graphstill.deploy.extra import onnx_module
from graphstill.deploy.foreign import traced
from graphstill.deploy.options import Member
from graphstill.deploy.subject import Subject, chosen_members
from graphstill.engine import Run

IMAGES = "images"
#: Images that torch takes at a time, and the example that the exporter follows.
PART, EXAMPLES = 64, 13


@dataclass(frozen=True, eq=False)
class ImageSubject(Subject):
    """Members that classify images.

    Attributes:
        shape: (channels, height, width). mean, std: of each channel, for bytes divided by 255; std is never 0.
    """

    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def inputs(self) -> list[str]:
        return [IMAGES]

    def network(self, x: Tensor) -> Tensor:
        """Torch's logits ``[n, classes]``, in evaluation, of images that are normalised already."""
        logits = torch.stack([torch.cat([module(part) for part in x.split(PART)]) for module in self.modules])
        return logits[0] if len(self.modules) == 1 else ensemble_logits(logits, self.multi_label)

    def normalized(self, images: Tensor) -> Tensor:
        """Bytes ``[n, channels, height, width]`` as a task on images hands them out."""
        return as_floats(images, *scale_and_shift(self.mean, self.std))

    def bytes_of(self, x: Tensor) -> Tensor:
        """The other way round: from 256 values a channel, rounding finds the one that it was."""
        scale, shift = scale_and_shift(self.mean, self.std)
        return ((x - shift) / scale).round().to(torch.uint8)


class FromBytes(torch.nn.Module):
    """Members behind ``forward(images uint8 [n, channels, height, width]) -> logits [n, classes]``.

    Several are an ensemble: the logarithm of the mean of their probabilities.
    """

    def __init__(self, members: Sequence[torch.nn.Module], mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.members = torch.nn.ModuleList(members)
        self.scale: Tensor
        self.shift: Tensor
        scale, shift = scale_and_shift(mean, std)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        x = images.float() * self.scale + self.shift
        logits = [member(x) for member in self.members]
        if len(logits) == 1:
            return logits[0]
        return torch.stack(logits).log_softmax(-1).logsumexp(0) - math.log(len(logits))


def image_subject_of(run: Run, member: Member) -> ImageSubject:
    """One member (None: the one that validation picks), or ``"ensemble"``: see :func:`.subject.subject_of`.

    Raises:
        ConfigError: no such member, or one whose maps are still smoothed. ExportError: torch's exporter fails.
    """
    members, protocol = chosen_members(run, member), run.result["protocol"]
    for i in members:
        cohort, own = run.cohort_of(i)
        cohort.refuse_filter(own)
    modules = tuple(run.member(i).to("cpu").float().eval() for i in members)
    height, width = protocol["image_size"]
    shape = (int(run.result["inputs"]), int(height), int(width))
    mean, std = tuple(protocol["pixel_mean"]), tuple(deviation or 1.0 for deviation in protocol["pixel_std"])
    model = image_model(FromBytes(modules, mean, std), shape)
    return ImageSubject(members, modules, False, model, shape, mean, std)


def image_model(module: FromBytes, shape: tuple[int, int, int]) -> bytes:
    """The ONNX file: ``images`` uint8 ``[n, *shape]`` to ``logits`` float32 ``[n, classes]``, for any n.

    Batch normalisation is in the convolution before it wherever there is one.
    """
    example = torch.zeros(EXAMPLES, *shape, dtype=torch.uint8)
    model = traced(module, {IMAGES: (example, 0)}, "report the model and its options")
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx_module().checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content
