"""How long, how fast and by what rule to train: the part of a run that is neither network, data nor method."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from graphstill.errors import ConfigError, nearest
from graphstill.plain_yaml import shown
from graphstill.typed import check_fields

PerRun = float | Sequence[float]


#: No training has as many epochs.
MOST = 10**7


@dataclass(frozen=True)
class Training:
    """Settings of a training run.

    Args:
        epochs: updates of the whole training set, the warm-up included.
        lr: the learning rate; a list gives each run (seed) its own, which makes a search one cohort.
        weight_decay: L2 coefficient added to the gradient (Adam, not AdamW), a number, or a mapping from the prefix of
            parameter names to numbers: the longest match wins and "" is the default.
        optimizer: "adam", or "sgd" with `momentum` and, where `nesterov`, its look-ahead.
        lr_steps: numbers of epochs after which the learning rate is multiplied by `lr_factor`.
        patience: stop a member after this many epochs without a better validation score (None: never).
        warmup: epochs at the start with the supervised loss alone.
        select_after: only epochs after this one can be selected (the warm-up counts only if this is smaller than it;
            0: any epoch).
        select_by: "metric" = validation metric, ties broken by the lower validation loss; "loss" = validation loss.
        updates: how peers take turns: "simultaneous", "alternating" (a pass over the data for each peer, the others
            frozen at their newest weights), or None for the method's own.
        reset_optimizer: forget the optimiser's moments when the warm-up ends.
        precision: what training passes compute in: "float32", or "bfloat16" where torch's autocast does, with weights,
            losses, optimiser and evaluation in float32. For wide networks on large graphs; smaller ones gain nothing.
        execution: how the members of a cohort run, "auto", "stacked" or "looped"; results agree.
        checkpoint_seconds: write a checkpoint at most this often, where the run has a directory.
        log_every: epochs between two lines of metrics.jsonl.

    >>> training = gs.Training(epochs=10, lr=0.05, patience=5)
    >>> run = gs.train(student, task, training=training)
    """

    epochs: int = 200
    lr: PerRun = 0.01
    weight_decay: PerRun | Mapping[str, float] = 5e-4
    patience: int | None = None
    warmup: int = 0
    select_after: int = 0
    select_by: Literal["metric", "loss"] = "metric"
    updates: Literal["simultaneous", "alternating"] | None = None
    reset_optimizer: bool = False
    precision: Literal["float32", "bfloat16"] = "float32"
    execution: Literal["auto", "stacked", "looped"] = "auto"
    checkpoint_seconds: float = 30.0
    log_every: int = 10
    optimizer: Literal["adam", "sgd"] = "adam"
    momentum: float = 0.9
    nesterov: bool = False
    lr_steps: tuple[int, ...] = ()
    lr_factor: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self, "training.")
        for key in ("epochs", "log_every", "warmup", "select_after", "patience"):
            self._refuse_unless((getattr(self, key) or 0) <= MOST, key, f"at most {MOST:,}")
        for key in ("checkpoint_seconds", "momentum", "lr_factor"):
            self._refuse_unless(math.isfinite(getattr(self, key)), key, "a finite number")
        for key in ("epochs", "log_every"):
            self._refuse_unless(getattr(self, key) >= 1, key, "at least 1")
        for key in ("warmup", "select_after", "checkpoint_seconds"):
            self._refuse_unless(getattr(self, key) >= 0, key, "0 or above")
        self._refuse_unless(self.warmup < self.epochs, "warmup", f"below epochs ({self.epochs})")
        self._refuse_unless(self.select_after < self.epochs, "select_after", f"below epochs ({self.epochs})")
        self._refuse_unless(self.patience is None or self.patience >= 1, "patience", "at least 1, or null")
        for key, choices in {
            "updates": ("simultaneous", "alternating", None),
            "select_by": ("metric", "loss"),
            "execution": ("auto", "stacked", "looped"),
            "optimizer": ("adam", "sgd"),
            "precision": ("float32", "bfloat16"),
            "nesterov": (True, False),
        }.items():
            self._refuse_unless(getattr(self, key) in choices, key, f"one of {choices}")
        self._refuse_unless(0 <= self.momentum < 1, "momentum", "from 0 up to below 1")
        self._refuse_unless(not self.nesterov or self.momentum > 0, "nesterov", "false where momentum is 0")
        self._refuse_unless(math.isfinite(self.lr_factor) and self.lr_factor > 0, "lr_factor", "above 0")
        object.__setattr__(self, "lr_steps", tuple(self.lr_steps))
        rising = all(a < b for a, b in itertools.pairwise((0, *self.lr_steps)))
        self._refuse_unless(rising, "lr_steps", "rising numbers of epochs, from 1")
        rates = [self.lr] if isinstance(self.lr, int | float) else list(self.lr)
        self._refuse_unless(all(math.isfinite(r) and r > 0 for r in rates) and bool(rates), "lr", "above 0")
        decay = self.weight_decay
        values = decay.values() if isinstance(decay, Mapping) else [decay] if isinstance(decay, int | float) else decay
        self._refuse_unless(all(math.isfinite(v) and v >= 0 for v in values), "weight_decay", "0 or above")

    def _refuse_unless(self, good: bool, key: str, must: str) -> None:
        if not good:
            raise ConfigError(f"training.{key} is {shown(getattr(self, key))}: it must be {must}")

    @property
    def lower(self) -> torch.dtype | None:
        """What training passes compute in where that is less than float32."""
        return None if self.precision == "float32" else torch.bfloat16

    def rate(self, epoch: int) -> float:
        """The factor on the learning rate in this epoch, counted from 0."""
        return self.lr_factor ** sum(step <= epoch for step in self.lr_steps)

    def config(self, also: Collection[str] = ()) -> dict[str, Any]:
        """Plain values for a recipe. Those that say nothing (of SGD where Adam steps, say) are left out, but `also`."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        idle = ["momentum", "nesterov", "optimizer"] if self.optimizer == "adam" else []
        idle += [] if self.lr_steps else ["lr_steps", "lr_factor"]
        idle += ["precision"] if self.precision == "float32" else []
        values = {key: value for key, value in values.items() if key not in idle or key in also}
        for key in values.keys() & {"lr", "weight_decay", "lr_steps"}:
            if isinstance(values[key], Mapping):
                values[key] = dict(values[key])
            elif isinstance(values[key], Sequence):
                values[key] = list(values[key])
        return values

    @classmethod
    def of(cls, defaults: Mapping[str, Any], **changes: Any) -> Training:
        """Settings from a model's recommended defaults and changes to them."""
        known = {f.name for f in dataclasses.fields(cls)}
        for key in changes:
            if key not in known:
                raise ConfigError(f"unknown training setting {key!r}: {nearest(key, known)}")
        return cls(**{**defaults, **changes})


def decay_of(name: str, weight_decay: PerRun | Mapping[str, float]) -> PerRun:
    """The weight decay of the parameter `name`."""
    if not isinstance(weight_decay, Mapping):
        return weight_decay
    matching = [p for p in weight_decay if name == p or name.startswith(p + ".") or p == ""]
    return weight_decay[max(matching, key=len)] if matching else 0.0
