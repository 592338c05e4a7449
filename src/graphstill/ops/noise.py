"""Random numbers of the members of a cohort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphstill.errors import ConfigError

_WORD = 2**64 - 1


def splitmix64(state: int) -> int:
    """One step of the splitmix64 generator (Steele, Lea, Flood 2014): a good 64-bit hash of an integer."""
    state = (state + 0x9E3779B97F4A7C15) & _WORD
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
    return state ^ (state >> 31)


def hash_seed(*parts: int) -> int:
    """A 64-bit seed from several integers; the order matters."""
    state = 0
    for part in parts:
        state = splitmix64(state ^ splitmix64(part & _WORD))
    return state


def quantised(p: float) -> int:
    """256 times the rate that is used for a dropout rate p: p rounded to 1/256, at most 255/256.

    Raises:
        ConfigError: p outside [0, 1).
    """
    if not 0.0 <= p < 1.0:
        raise ConfigError(
            f"dropout rate {p!r} is not in [0, 1). Where: Noise. Pass a rate from 0 up to, not including, 1."
        )
    return min(round(p * 256), 255)


class Noise:
    """Random numbers of each member: a pure function of (member seed, stream, step).

    A member's noise therefore does not depend on how many members there are, and resuming needs no generator state.
    Within a step, draws follow each other: the same calls in the same order give the same numbers.

    Args:
        seeds: one integer a member.
        device: where the numbers are drawn; numbers differ between device types.
        stream: sets independent uses of the same seeds apart.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu", stream: int = 0) -> None:
        self.seeds = tuple(int(seed) for seed in seeds)
        self.stream = stream
        self.device = torch.device(device)
        self._generators = [torch.Generator(self.device) for _ in self.seeds]
        self.at(0)

    @property
    def members(self) -> int:
        return len(self.seeds)

    def at(self, step: int) -> Noise:
        """Starts the numbers of a step, for every member; returns self."""
        for seed, generator in zip(self.seeds, self._generators, strict=True):
            generator.manual_seed(hash_seed(seed, self.stream, step))
        return self

    def member(self, i: int) -> Noise:
        """A view of one member: draws exactly what member i would draw in the cohort, from the same generator."""
        view = object.__new__(Noise)
        view.seeds, view.stream, view.device = (self.seeds[i],), self.stream, self.device
        view._generators = [self._generators[i]]
        return view

    def keep(self, shape: tuple[int, ...], p: float) -> Tensor:
        """What dropout keeps: bool [M, *shape], True with probability 1 - q(p), where q(p) is p rounded to 1/256.

        One random byte an element: five times faster than Bernoulli draws on a CPU.
        """
        return self._kept(shape, quantised(p)).view(torch.bool)

    def _kept(self, shape: tuple[int, ...], threshold: int) -> Tensor:
        """0 and 1 in uint8: as fast to make as bytes are (a comparison into bool takes ten times as long)."""
        count = torch.Size(shape).numel()
        words = torch.empty(self.members, count // 8 + 1, dtype=torch.int64, device=self.device)
        for row, generator in zip(words, self._generators, strict=True):
            # Without the bounds the top bit would always be 0, and every eighth byte below 128.
            row.random_(-(2**63), None, generator=generator)
        return words.view(torch.uint8)[:, :count].ge_(threshold).reshape(self.members, *shape)

    def dropout(self, x: Tensor, p: float, shared: bool | None = None) -> Tensor:
        """Inverted dropout, independent for each member: zeros with probability q(p), the rest times 1 / (1 - q(p)).

        Args:
            x: [M, ...], or, where `shared`, a tensor without the member axis, which is broadcast to it.
            p: rate in [0, 1), quantised to 1/256.
            shared: whether x lacks the member axis; by default a matrix [N, F] does, anything else does not.

        Returns:
            [M, ...], differentiable.
        """
        if shared is None:
            shared = x.dim() == 2
        if shared:
            x = x.expand(self.members, *x.shape)
        elif not x.dim() or x.shape[0] != self.members:
            raise ConfigError(
                f"x has shape {list(x.shape)}, there are {self.members} members. Where: Noise.dropout. "
                "Pass [members, ...], or shared=True for a tensor that all members share."
            )
        threshold = quantised(p)
        if threshold == 0:
            return x
        out: Tensor = _Dropout.apply(x, self._kept(tuple(x.shape[1:]), threshold), 256 / (256 - threshold))
        return out

    def uniform(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """[M, *shape], uniform on [0, 1)."""
        out = torch.empty(self.members, *shape, dtype=dtype, device=self.device)
        for row, generator in zip(out, self._generators, strict=True):
            row.uniform_(generator=generator)
        return out

    def normal(self, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
        """[M, *shape], standard normal."""
        out = torch.empty(self.members, *shape, dtype=dtype, device=self.device)
        for row, generator in zip(out, self._generators, strict=True):
            row.normal_(generator=generator)
        return out


def masked(x: Tensor, kept: Tensor) -> Tensor:
    """x * kept, 0 and 1 in uint8, without autograd: a third faster than the product, which converts on the way."""
    return kept.to(x.dtype).mul_(x)


class _Dropout(torch.autograd.Function):
    """x * kept * scale, remembering one byte an element."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return masked(x, kept).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        (kept,) = ctx.saved_tensors
        return masked(grads[0], kept).mul_(ctx.scale), None, None
