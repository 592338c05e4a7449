"""The training loop. One for every network, task and method: read it from `Loop.run` downwards."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from graphstill.data import Batch
from graphstill.data.metrics import METRICS
from graphstill.engine import checkpoint, terms
from graphstill.engine.again import Again
from graphstill.engine.experiment import Experiment
from graphstill.engine.group import Block, Group
from graphstill.engine.interrupt import interruptible
from graphstill.engine.knowledge import Knowledge
from graphstill.engine.live import LiveTeacher
from graphstill.engine.optim import MemberOptimizer, make_optimizer
from graphstill.engine.selection import Selection
from graphstill.engine.terms import ActiveTerm
from graphstill.errors import MethodError
from graphstill.files import atomic_write_text
from graphstill.losses import supervised
from graphstill.method import Parts, Peers, Position, Step, View
from graphstill.nn import Output

log = logging.getLogger("graphstill")


class Loop:
    """Trains a group on a task; the only place that steps an optimiser. Never sees a test label."""

    def __init__(
        self,
        experiment: Experiment,
        group: Group,
        active: list[ActiveTerm],
        knowledge: Knowledge | LiveTeacher | None,
        identity: dict[str, Any],
    ) -> None:
        self.task, self.training, self.share = experiment.task, experiment.training, experiment.share
        self.directory, self.progress = experiment.directory, experiment.progress
        self.group, self.terms, self.knowledge, self.identity = group, active, knowledge, identity
        training, task = self.training, self.task
        self._smooth(0)
        self.selection = Selection(group, training, task.y.device)
        self.optimizers = [
            make_optimizer(
                training,
                list(b.cohort.named_parameters()),
                group.runs,
                1 if len(group.blocks) > 1 else group.peers,
            )
            for b in group.blocks
        ]
        self.epoch = 0
        self.history: list[Tensor] = []
        self.seconds = {"wall": 0.0, "cpu": 0.0}
        self._teacher_views: dict[int, tuple[Batch, View]] = {}

    def run(self) -> None:
        """Train to the end, or to an interrupt (KeyboardInterrupt, after a checkpoint)."""
        saved = time.monotonic()
        with interruptible() as interrupt:
            while self.epoch < self.training.epochs and not bool(self.selection.stopped.all()):
                start_wall, start_cpu = time.perf_counter(), time.process_time()
                self._train_epoch()
                self.epoch += 1
                self._validate()
                self.seconds["wall"] += time.perf_counter() - start_wall
                self.seconds["cpu"] += time.process_time() - start_cpu
                due = time.monotonic() - saved >= self.training.checkpoint_seconds
                if self.directory is not None and (due or interrupt.requested):
                    self.save(self.directory)
                    saved = time.monotonic()
                if interrupt.requested:
                    raise KeyboardInterrupt
        self.selection.restore(self.group.blocks)

    def _train_epoch(self) -> None:
        if self.training.reset_optimizer and self.epoch == self.training.warmup > 0:
            for optimizer in self.optimizers:
                optimizer.reset()
        self._schedule()
        batches = self.task.training_batches(self.epoch)
        to_log = (self.epoch + 1) % self.training.log_every == 0 or self.epoch + 1 == self.training.epochs
        logged: dict[str, Tensor] | None = {} if to_log else None
        for block, optimizer in zip(self.group.blocks, self.optimizers, strict=True):
            for number, batch in enumerate(batches):
                self._step(block, optimizer, batch, self.epoch * len(batches) + number, logged)
        if logged is not None:
            self._log(logged)

    def _schedule(self) -> None:
        """What changes from epoch to epoch, as a function of its number, so that nothing of it needs a checkpoint."""
        for optimizer in [*self.optimizers, *(t.joint for t in self.terms if t.joint is not None)]:
            optimizer.factor = self.training.rate(self.epoch)
        self._smooth(self.epoch)

    def _smooth(self, epoch: int) -> None:
        widths = [w for t in self.terms if (w := t.method.smoothing(epoch)) is not None]
        for block in self.group.blocks if widths else ():
            block.cohort.smooth(widths[0])
            block.changed()

    def _step(
        self, block: Block, optimizer: MemberOptimizer, batch: Batch, step: int, logged: dict[str, Tensor] | None
    ) -> None:
        own = block.train_output(batch, step)
        distilling = self.epoch >= self.training.warmup
        factor, parts = 1.0, dict[str, Tensor]()
        if distilling and self.terms:
            s, peers = self.group.views(batch, block, own)
            teacher = self._teacher_view(batch)
            at = self._position(batch, peers, step, block)
            terms.adversary_steps(self.terms, teacher, peers, at)
            factor, parts = terms.total_loss(self.terms, s, teacher, peers, at, self.share)
        # A block of several holds some of the members: of the others' losses it takes no part.
        mine: Tensor | slice = slice(None) if len(self.group.blocks) == 1 else block.members
        named = {"supervised": self._supervised(own, batch) * factor} | {k: v[mine] for k, v in parts.items()}
        total = torch.stack(list(named.values())).sum() if len(named) > 1 else named["supervised"].sum()
        self._refuse_not_finite(total, named)
        optimizer.zero_grad()
        for term in self.terms:
            if term.joint is not None:
                term.joint.zero_grad()
        block.backward(total)
        optimizer.step()
        block.changed()
        if parts:
            for term in self.terms:
                if term.joint is not None:
                    term.joint.step(None if isinstance(mine, slice) else mine)
            terms.after_step(self.terms, s, teacher, peers, at)
        if logged is not None:
            logged |= {key: value.detach().mean() for key, value in named.items()}

    def _supervised(self, own: Output, batch: Batch) -> Tensor:
        logits = own.logits.index_select(1, batch.train_rows)
        return supervised(logits, batch.y.index_select(0, batch.train_rows), self.task.multi_label)

    def _position(self, batch: Batch, peers: Peers, step: int, block: Block) -> Step:
        span = self.training.epochs - self.training.warmup
        return Step(
            at=Position(self.epoch, (self.epoch - self.training.warmup) / span, step),
            batch=batch,
            parts=Parts(),
            group=peers,
            learning=None if len(self.group.blocks) == 1 else block.members,
            again=Again(block, batch, step) if len(self.group.blocks) == 1 else None,
        )

    def _teacher_view(self, batch: Batch) -> View | None:
        if self.knowledge is None:
            return None
        if not batch.full:
            return self.knowledge.view(batch, self.group.peers)
        cached = self._teacher_views.get(id(batch))
        if cached is None:
            cached = self._teacher_views[id(batch)] = (batch, self.knowledge.view(batch, self.group.peers))
        return cached[1]

    def _refuse_not_finite(self, total: Tensor, named: dict[str, Tensor]) -> None:
        value = float(total.detach())
        if value - value == 0:
            return
        bad = [
            f"{k} (member {int((~torch.isfinite(v)).nonzero()[0, 0])})"
            for k, v in named.items()
            if not v.isfinite().all()
        ]
        raise MethodError(
            f"the loss is not finite in epoch {self.epoch + 1}: {', '.join(bad) or 'their sum'}. Lower the learning "
            f"rate or the term's weight; the last checkpoint, if there is one, is from before"
        )

    @torch.no_grad()
    def _validate(self) -> None:
        batch = self.task.validation_batch()
        logits = self.group.outputs(batch).logits.index_select(1, batch.val_rows)
        y = batch.y.index_select(0, batch.val_rows)
        metric = METRICS[self.task.metric](logits, y)
        self.selection.update(self.group.blocks, metric, supervised(logits, y, self.task.multi_label), self.epoch)
        self.history.append(metric.float().cpu())
        if self.progress is not None:
            self.progress(self.epoch, self.training.epochs, {"validation": float(metric.mean())})

    def _log(self, logged: dict[str, Tensor]) -> None:
        line = {"epoch": self.epoch + 1} | {k: round(float(v), 6) for k, v in logged.items()}
        if self.history:
            line["validation_before"] = round(float(self.history[-1].mean()), 6)
        log.info("epoch %s", " ".join(f"{k}={v}" for k, v in line.items()))
        if self.directory is not None:
            with (self.directory / "metrics.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes during training, live."""
        named = {f"selection/{k}": v for k, v in self.selection.tensors().items()}
        for i, (block, optimizer) in enumerate(zip(self.group.blocks, self.optimizers, strict=True)):
            named |= {f"block/{i}/{k}": v for k, v in block.cohort.state_dict().items()}
            named |= {f"adam/{i}/{k}": v for k, v in optimizer.tensors().items()}
        for term in self.terms:
            named |= {f"term/{term.key}/{k}": v for k, v in term.tensors().items()}
        return named

    def save(self, directory: Path) -> None:
        history = {"history": torch.stack(self.history)} if self.history else {}
        meta = {"identity": self.identity, "epoch": self.epoch, "seconds": self.seconds}
        checkpoint.write(directory / "checkpoint.safetensors", self.tensors() | history, meta)

    def load(self, directory: Path) -> None:
        """Continue from the checkpoint in `directory` as if nothing had happened."""
        path = directory / "checkpoint.safetensors"
        saved, meta = checkpoint.read(path, self.task.y.device)
        checkpoint.check_same(path, self.identity, meta["identity"])
        with torch.no_grad():
            self.selection.load(checkpoint.under(saved, "selection"))
            for name, live in self.tensors().items():
                if not name.startswith("selection/"):
                    live.copy_(saved[name])
        for block in self.group.blocks:
            block.changed()
        self.epoch, self.seconds = meta["epoch"], meta["seconds"]
        self.history = list(saved["history"].cpu().unbind(0)) if "history" in saved else []
        metrics = directory / "metrics.jsonl"
        lines = metrics.read_text("utf-8").splitlines(keepends=True) if metrics.is_file() else []
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["epoch"] <= self.epoch]
        atomic_write_text(metrics, "".join(kept))
