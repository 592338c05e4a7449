"""Adam over stacked members. Adam is elementwise, so one optimiser over a cohort equals one for each member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from graphstill.engine.training import PerRun, decay_of
from graphstill.errors import ConfigError


class MemberAdam:
    """Adam (Kingma and Ba, 2015) with L2 weight decay in the gradient, as `torch.optim.Adam`.

    Where learning rate and decay are numbers, torch's fused implementation does the work. A list gives each run its
    own value, and `step(members)` updates some members only; both need the member axis in front of every parameter.
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
        self.named = list(named)
        self.betas, self.eps = betas, eps
        self.runs, self.peers = runs, peers
        decays = [decay_of(name, weight_decay) for name, _ in self.named]
        self.scalar = not masked and all(isinstance(v, int | float) for v in [lr, *decays])
        self.fused: torch.optim.Adam | None = None
        self.state: dict[str, Tensor] = {}
        if self.scalar:
            groups: dict[float, list[nn.Parameter]] = {}
            for (_, p), decay in zip(self.named, decays, strict=True):
                groups.setdefault(float(decay), []).append(p)  # type: ignore[arg-type]
            self.fused = torch.optim.Adam(
                [{"params": ps, "weight_decay": decay} for decay, ps in groups.items()],
                lr=float(lr),  # type: ignore[arg-type]
                betas=betas,
                eps=eps,
                fused=True,
            )
        else:
            self.lr = [self._per_member(lr, p) for _, p in self.named]
            self.decay = [self._per_member(d, p) for (_, p), d in zip(self.named, decays, strict=True)]
        self.reset()

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

    def reset(self) -> None:
        """Forget all moments."""
        if self.fused is not None:
            for _, p in self.named:
                self.fused.state[p] = {
                    "step": torch.zeros((), dtype=torch.float32, device=p.device),
                    "exp_avg": torch.zeros_like(p),
                    "exp_avg_sq": torch.zeros_like(p),
                }
            return
        for name, p in self.named:
            self.state[f"{name}/step"] = torch.zeros(p.shape[0], *[1] * (p.dim() - 1), dtype=p.dtype, device=p.device)
            self.state[f"{name}/exp_avg"] = torch.zeros_like(p)
            self.state[f"{name}/exp_avg_sq"] = torch.zeros_like(p)

    def zero_grad(self) -> None:
        for _, p in self.named:
            p.grad = None

    @torch.no_grad()
    def step(self, members: Tensor | None = None) -> None:
        """One update; of the given members only (int64 indices), where given."""
        if self.fused is not None:
            self.fused.step()
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
            p[rows] -= lr[rows] * (m / (1 - b1**step)) / ((v / (1 - b2**step)).sqrt() + self.eps)

    def tensors(self) -> dict[str, Tensor]:
        """Live tensors of the state, by parameter name, for checkpoints."""
        if self.fused is None:
            return self.state
        return {f"{name}/{key}": value for name, p in self.named for key, value in self.fused.state[p].items()}
