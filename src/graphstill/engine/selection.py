"""Which epoch of each member is kept: by validation, member by member."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from graphstill.engine.checkpoint import under
from graphstill.engine.group import Block, Group
from graphstill.engine.training import Training


class Selection:
    """The best epoch of every member, and its weights.

    A member's score is its validation metric, ties broken by the lower validation loss, then by the earlier epoch
    (or the validation loss alone, `select_by="loss"`). A member that stopped keeps its best weights and is no longer
    looked at; it goes on being computed beside the others, without effect.
    """

    def __init__(self, group: Group, training: Training, device: torch.device) -> None:
        m = group.members
        self.training = training
        self.metric = torch.full((m,), -torch.inf, dtype=torch.float64, device=device)
        self.loss = torch.full((m,), torch.inf, dtype=torch.float64, device=device)
        self.epoch = torch.zeros(m, dtype=torch.int64, device=device)
        self.stopped = torch.zeros(m, dtype=torch.bool, device=device)
        self.weights: list[dict[str, Tensor]] = [
            {name: value.detach().clone() for name, value in _state(b).items()} for b in group.blocks
        ]

    @torch.no_grad()
    def update(self, blocks: Sequence[Block], metric: Tensor, loss: Tensor, epoch: int) -> None:
        """Take in the validation figures [M] of the weights after `epoch` updates."""
        if epoch <= self.training.select_after:
            return
        metric, loss = metric.to(self.metric), loss.to(self.loss)
        if self.training.select_by == "metric":
            better = (metric > self.metric) | ((metric == self.metric) & (loss < self.loss))
        else:
            better = loss < self.loss
        better &= ~self.stopped
        if bool(better.any()):
            self.metric = torch.where(better, metric, self.metric)
            self.loss = torch.where(better, loss, self.loss)
            self.epoch = torch.where(better, epoch, self.epoch)
            for block, kept in zip(blocks, self.weights, strict=True):
                _keep(block, kept, better[block.members])
        if self.training.patience is not None:
            since = self.epoch.clamp(min=self.training.select_after)
            self.stopped |= epoch - since >= self.training.patience

    def restore(self, blocks: Sequence[Block]) -> None:
        """Load every member's best weights into the group."""
        for block, kept in zip(blocks, self.weights, strict=True):
            if block.cohort.stacked:
                block.cohort.load_state_dict(kept)
            else:
                for i in range(block.cohort.members):
                    block.cohort.load_member_state(i, under(kept, str(i)))
            block.changed()

    def tensors(self) -> dict[str, Tensor]:
        """Live tensors for checkpoints."""
        named = {"metric": self.metric, "loss": self.loss, "epoch": self.epoch, "stopped": self.stopped}
        for i, kept in enumerate(self.weights):
            named |= {f"weights/{i}/{name}": value for name, value in kept.items()}
        return named

    def load(self, tensors: dict[str, Tensor]) -> None:
        self.metric, self.loss = tensors["metric"], tensors["loss"]
        self.epoch, self.stopped = tensors["epoch"], tensors["stopped"]
        for i, kept in enumerate(self.weights):
            for name, value in kept.items():
                value.copy_(tensors[f"weights/{i}/{name}"])


def _state(block: Block) -> dict[str, Tensor]:
    """Live weights of a block: by name with the member axis in front, or by member/name for foreign modules."""
    if block.cohort.stacked:
        return dict(block.cohort.state_dict())
    return {f"{i}/{k}": v for i in range(block.cohort.members) for k, v in block.cohort.member_state(i).items()}


def _keep(block: Block, kept: dict[str, Tensor], better: Tensor) -> None:
    """Copy the weights of the members marked in `better` [members of the block]."""
    rows = better.nonzero()[:, 0]
    if not len(rows):
        return
    for name, value in _state(block).items():
        if not block.cohort.stacked:
            if better[int(name.split("/", 1)[0])]:
                kept[name].copy_(value)
        elif len(rows) == len(better):
            kept[name].copy_(value)
        else:
            kept[name][rows] = value[rows]
