"""What a method needs, what it may build its modules from, and the modules that it brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from graphstill.method.view import View
from graphstill.nn.output import Output
from graphstill.ops import Adjacency, SparseFeatures


class Needs(NamedTuple):
    """What a method cannot run without."""

    teacher: bool = False
    peers: bool = False
    hidden: bool = False
    teacher_hidden: bool = False
    teacher_sensitivity: bool = False
    heads: bool = False
    graph: bool = False
    graphs: bool = False


@dataclass
class Spec:
    """What a method may build its modules from. Widths are those of the hidden layers, first to last.

    `features` [N, F] and `graph` are those of the first training batch; `full` says that there is no other. `seen` are
    the task's items that training batches hold, where that is known: int64 ids, or None for all `num_items`. `item` is
    what they are: "node", "graph", "image".
    """

    runs: int
    peers: int
    seeds: Sequence[int]
    outputs: int
    multi_label: bool
    student: Output
    teacher: View | None
    architecture: str
    num_items: int
    device: torch.device
    features: SparseFeatures | Tensor
    graph: Adjacency
    full: bool
    seen: Tensor | None = None
    item: str = "node"
    #: [1 or M, all nodes of the task], where the method needs it: see `engine.knowledge.Knowledge`.
    teacher_sensitivity: Tensor | None = None

    @property
    def members(self) -> int:
        return self.runs * self.peers

    @property
    def widths(self) -> list[int]:
        """Width of each hidden layer of the student."""
        return [h.pre.shape[-1] for h in self.student.hidden]


@dataclass
class Parts:
    """Modules and state that a method brings along, every tensor with the member axis in front.

    `joint` is trained with the student by the student's optimiser; `adversary` by an Adam of its own (`adversary_lr`,
    by default the student's; by default no weight decay), one step before each student step, or in every
    `adversary_every`-th epoch only; `state` has no gradient, is changed in `after_step`, and is checkpointed;
    `options` are plain values settled once from the shapes.
    """

    joint: nn.Module | None = None
    adversary: nn.Module | None = None
    adversary_lr: float | None = None
    adversary_weight_decay: float = 0.0
    adversary_every: int = 1
    state: dict[str, Tensor] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
