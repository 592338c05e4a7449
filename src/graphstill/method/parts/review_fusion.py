"""Features of all stages of a student, fused from the deepest to the shallowest; with the member axis."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphstill.nn.init import fan_in_, uniform_
from graphstill.nn.layers import BatchNorm, Layers, MemberModule

#: Width of the fused features at most.
WIDEST = 512


class Conv(MemberModule):
    """A convolution of stride 1 that keeps the size, of one member: [N, inputs, H, W] -> [N, outputs, H, W].

    Without bias its weight starts as Kaiming-uniform with a = 1; with bias both start as torch's do.
    """

    def __init__(self, members: int, inputs: int, outputs: int, size: int = 1, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.empty(members, outputs)) if bias else None

    def reset_member(self, i: int, generator: torch.Generator) -> None:
        fan = self.weight[i, 0].numel()
        if self.bias is None:
            uniform_(self.weight[i], (3 / fan) ** 0.5, generator)
        else:
            fan_in_(self.weight[i], fan, generator)
            fan_in_(self.bias[i], fan, generator)

    def forward(self, x: Tensor, i: int) -> Tensor:
        weight, bias = self.weight[i], None if self.bias is None else self.bias[i]
        middle = weight.shape[-1] // 2
        if x.shape[2:].numel() == 1:
            # Around a single position there is nothing but padding.
            return F.linear(x.flatten(1), weight[..., middle, middle], bias)[..., None, None]
        return F.conv2d(x, weight, bias, padding=middle)


class Fusion(nn.Module):
    """A stage and what is fused already, weighed at every position by two sigmoids of both; then the teacher's width.

        x = BN(conv1 x 1(h)),  [a, b] = σ(conv1 x 1([x ; r'])),  r = a x + b r',  o = BN(conv(r))

    r' is the deeper stages' r at the size of h, and r is brought to the teacher's size, both by nearest neighbours. The
    deepest stage has no r'. Batch normalisation always uses the batch: the module serves in training only.
    """

    def __init__(self, members: int, inputs: int, width: int, outputs: int, size: int, deepest: bool) -> None:
        super().__init__()
        self.inward, self.inward_norm = Conv(members, inputs, width), BatchNorm(members, width)
        self.outward, self.outward_norm = Conv(members, width, outputs, size), BatchNorm(members, outputs)
        # The two halves of the convolution of [x ; r']: without the pair in one array, and of r' while it is small.
        self.weigh = None if deepest else Conv(members, 2 * width, 2, bias=True)

    def forward(self, h: Tensor, deeper: Tensor | None, size: torch.Size, i: int) -> tuple[Tensor, Tensor]:
        """Member i's h [N, C, H, W] and r of the deeper stage -> o at the teacher's `size` (height, width), and r."""
        r = normalised(self.inward(h, i), self.inward_norm, i)
        if self.weigh is not None and deeper is not None:
            assert self.weigh.bias is not None
            mine, theirs = self.weigh.weight[i].chunk(2, 1)
            score = F.conv2d(r, mine, self.weigh.bias[i]) + resized(F.conv2d(deeper, theirs), r.shape[2:])
            a, b = score.sigmoid().chunk(2, 1)
            r = torch.addcmul(a * r, b, resized(deeper, r.shape[2:]))
        r = resized(r, size)
        return normalised(self.outward(r, i), self.outward_norm, i), r


class Review(nn.Module):
    """One `Fusion` a stage, run from the deepest to the shallowest.

    Args:
        student, teacher: channels of the stages, shallow to deep.
        size: of the last convolution: 3 for maps, 1 where there are no positions.
    """

    def __init__(self, members: int, student: Sequence[int], teacher: Sequence[int], size: int) -> None:
        super().__init__()
        width, last = min(WIDEST, student[-1]), len(student) - 1
        pairs = enumerate(zip(student, teacher, strict=True))
        self.stages = Layers[Fusion](Fusion(members, s, width, t, size, i == last) for i, (s, t) in pairs)

    def forward(self, student: Sequence[Tensor], sizes: Sequence[torch.Size]) -> list[Tensor]:
        """Stages [M, N, C, H, W], shallow to deep, and the teacher's sizes -> maps for the teacher's, as many."""
        members = [self._member(i, [h[i] for h in student], sizes) for i in range(len(student[0]))]
        # Of a single member nothing is copied.
        return [torch.stack(maps) if len(maps) > 1 else maps[0].unsqueeze(0) for maps in zip(*members, strict=True)]

    def _member(self, i: int, student: Sequence[Tensor], sizes: Sequence[torch.Size]) -> list[Tensor]:
        found: list[Tensor] = []
        r: Tensor | None = None
        for stage, h, size in reversed(list(zip(self.stages, student, sizes, strict=True))):
            o, r = stage(h, r, size, i)
            found.insert(0, o)
        return found


def normalised(x: Tensor, norm: BatchNorm, i: int) -> Tensor:
    """Batch normalisation of member i's maps [N, C, H, W] by the statistics of the batch."""
    return F.batch_norm(x, norm.running_mean[i], norm.running_var[i], norm.weight[i], norm.bias[i], training=True)


def resized(x: Tensor, size: torch.Size) -> Tensor:
    """Maps [N, C, H, W] at another height and width, by nearest neighbours."""
    return x if x.shape[2:] == size else F.interpolate(x, tuple(size), mode="nearest")
