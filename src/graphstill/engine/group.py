"""The students of a run as blocks: cohorts that step together, and the one view a method gets of them all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from graphstill.data import Batch
from graphstill.engine.items import check_items
from graphstill.engine.seeds import NOISE, WEIGHTS, member_seeds
from graphstill.errors import ConfigError
from graphstill.method import Peers, View, map_hidden, stack_outputs
from graphstill.nn import Cohort, ForeignCohort, KnownLabels, Model, Output, StackedCohort
from graphstill.ops import Noise
from graphstill.plain_yaml import shown

#: Seeds that one run takes.
MOST_SEEDS = 10_000


class Block:
    """One cohort, the members it holds (int64 indices into the group), and its newest evaluation outputs.

    `precision` is what training passes compute in where that is less than float32; evaluation never does.
    """

    def __init__(self, cohort: Cohort, members: Tensor, noise: Noise, precision: torch.dtype | None = None) -> None:
        self.cohort, self.members, self.noise, self.precision = cohort, members, noise, precision
        self._cached: tuple[Batch, Output] | None = None
        self._attached: Output | None = None

    def train_output(self, batch: Batch, step: int) -> Output:
        """Outputs with gradient and, where the network has dropout, with noise."""
        if self._reused:
            self.output(batch)
            attached, self._attached = self._attached, None
            return attached if attached is not None else self.cohort(batch.x, batch.graph)
        noise = None if self.cohort.noiseless else self.noise.at(step)
        if self.precision is None:
            return self.cohort(batch.x, batch.graph, noise)
        with torch.autocast(batch.nodes.device.type, dtype=self.precision):
            out = self.cohort(batch.x, batch.graph, noise)
        # What methods compare is raised when they ask, in `Group.views`.
        return replace(out, logits=out.logits.float(), heads=None if out.heads is None else out.heads.float())

    @property
    def _reused(self) -> bool:
        """Whether a network without noise computes the same in evaluation and in the next training step."""
        return self.cohort.noiseless and self.precision is None

    def output(self, batch: Batch) -> Output:
        """Evaluation outputs of the newest weights, without gradient; computed once as long as the weights stay.

        Where the next training step computes the same, the pass is recorded and serves for both.
        """
        if self._cached is None or self._cached[0] is not batch:
            if batch.pieces:
                return self._in_pieces(batch)
            with torch.set_grad_enabled(self._reused):
                out = self.cohort(batch.x, batch.graph)
            check_items(out.logits, batch, self.cohort.spec)
            self._attached = out if self._reused else None
            self._cached = (batch, mapped(out, Tensor.detach))
        return self._cached[1]

    @torch.no_grad()
    def _in_pieces(self, batch: Batch) -> Output:
        """Logits of one piece after another; hidden features are not kept."""
        self._attached = None
        logits = [self.cohort(piece.x, piece.graph).logits for piece in batch.pieces]
        self._cached = (batch, Output(torch.cat(logits, 1)))
        return self._cached[1]

    def backward(self, total: Tensor) -> None:
        """The gradient of a loss.

        Raises:
            ConfigError: torch cannot compute it, for what a network that is not ours does with its activations.
        """
        try:
            total.backward()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            if not isinstance(self.cohort, ForeignCohort) or "allocate memory" in str(error):
                raise
            raise ConfigError(
                f"the gradient of {self.cohort.spec} cannot be computed ({str(error).splitlines()[0][:300]}), in a "
                "training step: change no activation in place that is needed again, and keep none from one pass to "
                "the next"
            ) from error

    def changed(self) -> None:
        """The weights moved: outputs must be computed anew."""
        self._cached = self._attached = None


class Group:
    """All members: runs · peers networks in one block, or in one block a peer.

    One block a peer is used where peers take turns or where their architectures differ.
    """

    def __init__(
        self,
        models: Sequence[Model],
        inputs: int,
        outputs: int,
        run_seeds: list[int],
        separate: bool,
        device: torch.device,
        execution: str = "auto",
        known: KnownLabels | None = None,
        precision: torch.dtype | None = None,
    ) -> None:
        self.runs, self.peers = len(run_seeds), len(models)
        self.members = self.runs * self.peers
        same = all(m == models[0] for m in models)
        weights = member_seeds(run_seeds, self.peers, WEIGHTS)
        noise = member_seeds(run_seeds, self.peers, NOISE)
        everyone = torch.arange(self.members)
        shares = [everyone] if same and not separate else [everyone[k :: self.peers] for k in range(self.peers)]
        self.blocks: list[Block] = []
        for k, members in enumerate(shares):
            cohort = models[k].build(inputs, outputs, [weights[i] for i in members.tolist()], known).to(device)
            if isinstance(cohort, StackedCohort):
                cohort.execution = execution
            self.blocks.append(
                Block(cohort, members.to(device), Noise([noise[i] for i in members.tolist()], device=device), precision)
            )

    def outputs(self, batch: Batch) -> Output:
        """Evaluation outputs of all members."""
        return self._merge([b.output(batch) for b in self.blocks])

    def views(self, batch: Batch, block: Block, own: Output) -> tuple[View, Peers]:
        """The members' view in which only `block` carries a gradient, and the same detached, as peers."""
        own = own if block.precision is None else mapped(own, Tensor.float)
        parts = [own if b is block else b.output(batch) for b in self.blocks]
        merged = self._merge(parts)
        view = View(merged.logits, merged.hidden, batch.graph, batch.nodes, heads=merged.heads, items=batch.items)
        d = view.detach()
        return view, Peers(d.logits, d.hidden, d.graph, d.nodes, self.runs, self.peers, heads=d.heads, items=d.items)

    def _merge(self, parts: Sequence[Output]) -> Output:
        return parts[0] if len(parts) == 1 else stack_outputs(parts)


def mapped(out: Output, f: Callable[[Tensor], Tensor]) -> Output:
    """The output with `f` applied to each of its tensors."""
    heads = None if out.heads is None else f(out.heads)
    return Output(f(out.logits), tuple(map_hidden(h, f) for h in out.hidden), heads)


def check_seeds(seeds: int | Sequence[int]) -> list[int]:
    """A number of seeds or the seeds themselves, as a list of distinct non-negative integers."""
    counted = isinstance(seeds, int) and not isinstance(seeds, bool)
    given: Any = range(min(int(seeds), MOST_SEEDS + 1)) if counted else seeds  # type: ignore[arg-type]
    good = isinstance(given, Sequence) and all(isinstance(s, int) and not isinstance(s, bool) for s in given)
    values = [int(s) for s in given] if good else []
    if not values or len(set(values)) != len(values) or min(values) < 0 or max(values) >= 2**31:
        raise ConfigError(
            f"seeds is {shown(seeds)}: give a number of at least 1, or distinct integers of 0 or above, below 2**31"
        )
    if len(values) > MOST_SEEDS:
        raise ConfigError(f"{shown(seeds, 20)} seeds: at most {MOST_SEEDS:,} train side by side; use several runs")
    return values
