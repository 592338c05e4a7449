"""Optimisers over members. Both are elementwise, so that one over a cohort equals one for each member."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from graphstill.engine.training import PerRun, Training, decay_of
from graphstill.errors import ConfigError

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


class MemberOptimizer(ABC):
    """What the loop asks of an optimiser. `factor` is that on the learning rate, moved by the loop's schedule."""

    def __init__(self, named: Sequence[tuple[str, nn.Parameter]], runs: int, peers: int) -> None:
        self.named, self.runs, self.peers, self.factor = list(named), runs, peers, 1.0

    @abstractmethod
    def reset(self) -> None:
        """Forget all moments."""

    @abstractmethod
    def step(self, members: Tensor | None = None) -> None:
        """One update; of the given members only (int64 indices), where given."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Live tensors of the state, by parameter name, for checkpoints."""

    def zero_grad(self) -> None:
        for _, p in self.named:
            p.grad = None

    def _per_member(self, value: PerRun, p: nn.Parameter) -> Tensor:
        values = [float(value)] * self.runs if isinstance(value, int | float) else [float(v) for v in value]
        if len(values) != self.runs:
            raise ConfigError(f"{len(values)} values for {self.runs} runs (lr or weight_decay): give one for each seed")
        column = torch.tensor(values, dtype=p.dtype, device=p.device).repeat_interleave(self.peers)
        if p.shape[0] != column.shape[0]:
            raise ConfigError(
                "a learning rate or weight decay for each run needs a network of the zoo, not a foreign one"
            )
        return column.view(-1, *[1] * (p.dim() - 1))


class MemberAdam(MemberOptimizer):
    """Adam (Kingma and Ba, 2015) with L2 weight decay in the gradient, as `torch.optim.Adam`.

    Where learning rate and decay are numbers, torch's fused kernel does the work, called as a function: making a
    `torch.optim.Adam` imports torch's compiler, which takes longer than a hundred epochs on Cora. A list gives each run
    its own value, and `step(members)` updates some members only; both need the member axis in front of every parameter.
    """

    def __init__(
        self,
        named: Sequence[tuple[str, nn.Parameter]],
        lr: PerRun,
        weight_decay: PerRun | Mapping[str, float],
        runs: int,
        peers: int,
        masked: bool = False,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(named, runs, peers)
        self.betas, self.eps = betas, eps
        decays = [decay_of(name, weight_decay) for name, _ in self.named]
        self.scalar = not masked and all(isinstance(v, int | float) for v in [lr, *decays])
        self.state: dict[str, Tensor] = {}
        if self.scalar:
            self.base = float(lr)  # type: ignore[arg-type]
            self.groups: dict[float, list[tuple[str, nn.Parameter]]] = {}
            for named_parameter, decay in zip(self.named, decays, strict=True):
                self.groups.setdefault(float(decay), []).append(named_parameter)  # type: ignore[arg-type]
        else:
            self.lr = [self._per_member(lr, p) for _, p in self.named]
            self.decay = [self._per_member(d, p) for (_, p), d in zip(self.named, decays, strict=True)]
        self.reset()

    def reset(self) -> None:
        for name, p in self.named:
            # The fused kernel counts in float32, whatever the parameters are.
            shape, dtype = ((), torch.float32) if self.scalar else ((p.shape[0], *[1] * (p.dim() - 1)), p.dtype)
            self.state[f"{name}/step"] = torch.zeros(shape, dtype=dtype, device=p.device)
            self.state[f"{name}/exp_avg"] = torch.zeros_like(p)
            self.state[f"{name}/exp_avg_sq"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self, members: Tensor | None = None) -> None:
        if self.scalar:
            for same, group in self.groups.items():
                self._fused_step(group, same)
            return
        b1, b2 = self.betas
        for (name, p), lr, decay in zip(self.named, self.lr, self.decay, strict=True):
            if p.grad is None:
                continue
            rows = slice(None) if members is None else members
            grad = p.grad[rows] + decay[rows] * p[rows]
            step = self.state[f"{name}/step"][rows] + 1
            m = self.state[f"{name}/exp_avg"][rows].lerp(grad, 1 - b1)
            v = self.state[f"{name}/exp_avg_sq"][rows] * b2 + (1 - b2) * grad * grad
            for key, value in (("step", step), ("exp_avg", m), ("exp_avg_sq", v)):
                self.state[f"{name}/{key}"][rows] = value
            p[rows] -= self.factor * lr[rows] * (m / (1 - b1**step)) / ((v / (1 - b2**step)).sqrt() + self.eps)

    def _fused_step(self, group: Sequence[tuple[str, nn.Parameter]], decay: float) -> None:
        moved = [(name, p, p.grad) for name, p in group if p.grad is not None]
        first, second, steps = ([self.state[f"{name}/{key}"] for name, *_ in moved] for key in MOMENTS)
        adam(
            [p for _, p, _ in moved], [grad for *_, grad in moved], first, second, [], steps, fused=True, amsgrad=False,
            beta1=self.betas[0], beta2=self.betas[1], lr=self.base * self.factor, weight_decay=decay, eps=self.eps,
            maximize=False,
        )  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        return self.state


class MemberSGD(MemberOptimizer):
    """Stochastic gradient descent with momentum and L2 weight decay in the gradient, as `torch.optim.SGD`.

    The first velocity is the first gradient. `step(members)` needs the member axis in front of every parameter.
    """

    def __init__(
        self,
        named: Sequence[tuple[str, nn.Parameter]],
        lr: PerRun,
        weight_decay: PerRun | Mapping[str, float],
        runs: int,
        peers: int,
        momentum: float = 0.9,
        nesterov: bool = False,
    ) -> None:
        super().__init__(named, runs, peers)
        self.momentum, self.nesterov = momentum, nesterov
        self.lr = [self._rate(lr, p) for _, p in self.named]
        self.decay = [self._rate(decay_of(name, weight_decay), p) for name, p in self.named]
        self.reset()

    def _rate(self, value: PerRun, p: nn.Parameter) -> float | Tensor:
        return float(value) if isinstance(value, int | float) else self._per_member(value, p)

    def reset(self) -> None:
        self.velocity = {name: torch.zeros_like(p) for name, p in self.named}

    @torch.no_grad()
    def step(self, members: Tensor | None = None) -> None:
        rows = slice(None) if members is None else members
        for (name, p), lr, decay in zip(self.named, self.lr, self.decay, strict=True):
            if p.grad is None:
                continue
            lr, decay = (v[rows] if isinstance(v, Tensor) else v for v in (lr, decay))
            grad = p.grad[rows] + decay * p[rows]
            velocity = self.momentum * self.velocity[name][rows] + grad
            self.velocity[name][rows] = velocity
            p[rows] -= self.factor * lr * (grad + self.momentum * velocity if self.nesterov else velocity)

    def tensors(self) -> dict[str, Tensor]:
        return {f"{name}/velocity": value for name, value in self.velocity.items()}


def make_optimizer(
    training: Training, named: Sequence[tuple[str, nn.Parameter]], runs: int, peers: int, masked: bool = False
) -> MemberOptimizer:
    """The optimiser of the settings; `masked`: some members may step without the others."""
    if training.optimizer == "sgd":
        moving = (training.momentum, training.nesterov)
        return MemberSGD(named, training.lr, training.weight_decay, runs, peers, *moving)
    return MemberAdam(named, training.lr, training.weight_decay, runs, peers, masked)
