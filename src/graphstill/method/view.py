"""What a method sees of the student, the teacher and the peers during one step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from graphstill.errors import MethodError
from graphstill.nn.output import Hidden, Output
from graphstill.ops import Adjacency

T = TypeVar("T")


@dataclass
class View:
    """Outputs of all members on one batch.

    logits [M, I, C] of its I items (a teacher shared by all members: [1, I, C]); hidden layers, first to last, each
    [M, N, D] of its N nodes, before activation (`pre`), after (`post`) and after dropout (`dropped`); the batch's
    graph; nodes int64 [N], the task's id of each node; items int64 [I], of each item: the nodes themselves where it is
    left out; heads [M, H, I, C], logits of each classifier, where the network has several.
    """

    logits: Tensor
    hidden: Sequence[Hidden]
    graph: Adjacency
    nodes: Tensor
    heads: Tensor | None = field(default=None, kw_only=True)
    items: Tensor = field(default=None, kw_only=True)  # type: ignore[assignment]
    _made: dict[Callable[[View], Any], Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.items is None:
            self.items = self.nodes

    def once(self, make: Callable[[View], T]) -> T:
        """make(view), made once for each view: a frozen teacher's view of a whole graph is the same in every step.

        `make` is a function of a module or a method of a `Method`. It may use nothing that training changes.
        """
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    def layer(self, index: int, who: str = "student") -> Hidden:
        """Hidden layer `index` (negative counts from the last); MethodError where the network has too few."""
        if not -len(self.hidden) <= index < len(self.hidden):
            raise MethodError(
                f"hidden layer {index} was asked for, but the {who} has {len(self.hidden)} hidden layers: "
                f"choose another layer, a deeper network, or taps for a foreign module"
            )
        return self.hidden[index]

    def detach(self) -> View:
        """The same view without gradients."""
        hidden = [map_hidden(h, Tensor.detach) for h in self.hidden]
        heads = None if self.heads is None else self.heads.detach()
        return View(self.logits.detach(), hidden, self.graph, self.nodes, heads=heads, items=self.items)


@dataclass
class Peers(View):
    """The group as teachers of its own members: detached outputs, member index = run · peers + peer.

    Where peers are updated one after another, the tensors of the other peers are those of their newest weights.
    """

    runs: int
    peers: int

    def split(self, x: Tensor) -> Tensor:
        """[M, ...] -> [runs, peers, ...]."""
        return x.unflatten(0, (self.runs, self.peers))

    def mean_of_others(self, x: Tensor) -> Tensor:
        """For each member the mean of x over the other members of its run: [M, ...] -> [M, ...]."""
        grouped = self.split(x)
        return ((grouped.sum(1, keepdim=True) - grouped) / (self.peers - 1)).flatten(0, 1)

    def ring(self, x: Tensor, shift: int = 1) -> Tensor:
        """Row i holds what peer (i − shift) mod peers had: [M, ...] -> [M, ...]. Runs never mix."""
        return self.split(x).roll(shift, 1).flatten(0, 1)

    def mean_over_others(self, loss: Callable[[Callable[[Tensor], Tensor]], Tensor]) -> Tensor:
        """Mean over the peers − 1 other members of `loss(other)`, where `other(x)` is x of that member, [M, ...]."""
        total = loss(lambda x: self.ring(x, 1))
        for shift in range(2, self.peers):
            total = total + loss(lambda x, shift=shift: self.ring(x, shift))  # type: ignore[misc]
        return total / (self.peers - 1)


def map_hidden(hidden: Hidden, f: Callable[[Tensor], Tensor]) -> Hidden:
    """A hidden layer with `f` applied to each of its tensors; once where they are the same tensor."""
    pre = f(hidden.pre)
    post = pre if hidden.post is hidden.pre else f(hidden.post)
    dropped = post if hidden.dropped is hidden.post else f(hidden.dropped)
    return Hidden(pre, post, dropped)


def stack_outputs(outputs: Sequence[Output]) -> Output:
    """Outputs of one cohort a peer, each [R, ...], as one with members in the order run · peers + peer.

    Hidden layers are stacked where all peers have that layer at the same width; where depth or width differ, only the
    common last layers of equal width are kept, aligned from the last one. Heads are stacked where all peers have as
    many.
    """
    if len(outputs) == 1:
        return outputs[0]

    def together(tensors: Sequence[Tensor]) -> Tensor:
        return torch.stack(tuple(tensors), dim=1).flatten(0, 1)

    if any(o.logits.shape != outputs[0].logits.shape for o in outputs):
        raise MethodError(f"the peers have logits of different shapes: {[tuple(o.logits.shape) for o in outputs]}")
    hidden: list[Hidden] = []
    for back in range(1, min(len(o.hidden) for o in outputs) + 1):
        layers = [o.hidden[-back] for o in outputs]
        if any(h.pre.shape != layers[0].pre.shape for h in layers):
            break
        hidden.insert(
            0,
            Hidden(
                together([h.pre for h in layers]),
                together([h.post for h in layers]),
                together([h.dropped for h in layers]),
            ),
        )
    heads = [o.heads for o in outputs if o.heads is not None]
    alike = len(heads) == len(outputs) and all(h.shape == heads[0].shape for h in heads)
    return Output(together([o.logits for o in outputs]), tuple(hidden), together(heads) if alike else None)
