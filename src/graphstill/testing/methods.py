"""What must hold for every method."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphstill import plugins
from graphstill.engine import Run, Training, distill, train
from graphstill.errors import ConfigError, GraphstillError
from graphstill.method import Method
from graphstill.methods import METHODS, make_method
from graphstill.nn import GCN, ROD, Model
from graphstill.testing.invariant import BrokenInvariant, asked, importable, require
from graphstill.testing.stage import Stage, as_target, map_view, peers_of, set_stage
from graphstill.testing.task import Killed, kill_at, tiny_task

MODEL = GCN(hidden=6, layers=3, dropout=0.3)
WITH_HEADS = ROD(hidden=6, hops=2, dropout=0.3)
TEACHER = GCN(hidden=8, layers=3)
SHORT = Training(epochs=6, lr=0.02, weight_decay=5e-4, warmup=2, checkpoint_seconds=0.0, log_every=1)


@dataclass(frozen=True)
class Case:
    """A method that is checked, and what is special about it."""

    method: Method
    teacher: Model = TEACHER
    equal_layers: bool = False

    def run(self, seeds: list[int], **more: Any) -> Run:
        """A short distillation on the small task."""
        needs = self.method.needs
        return distill(
            WITH_HEADS if needs.heads else MODEL,
            tiny_task(),
            method=self.method,
            teacher=_teacher(self.teacher) if needs.teacher else None,
            peers=peers_of(self.method),
            seeds=seeds,
            training=SHORT,
            progress=more.pop("progress", False),
            **more,
        )

    def stage(self, seeds: list[int], **options: Any) -> Stage:
        return set_stage(self.method, tiny_task(**options), seeds)


@cache
def _teacher(model: Model) -> Run:
    return train(model, tiny_task(), seeds=1, training=Training(epochs=20), progress=False)


def check_method(
    method: Method | type[Method],
    *,
    teacher: Model = TEACHER,
    equal_layers: bool = False,
    without: Mapping[str, str] | None = None,
) -> list[str]:
    """Runs on a method, for some seconds, what graphstill's own tests run on every method of its own.

    Args:
        method: a class, whose options are then their defaults, or a method with options.
        teacher: of the short runs; the students are three layers of width 6, for methods that ask for equal widths.
        equal_layers: for methods that compare different layers of two networks: a student equals its target where all
            of its layers are equal.
        without: names of `CHECKS` that need not hold, each with the reason.

    Returns:
        The names of the checks that were made; all hold.

    Raises:
        BrokenInvariant: a check does not hold; the message says which, and what it found.
        ConfigError: no method, a name that no check has, an empty reason, or a method of whole graphs.

    >>> from graphstill.methods import KD
    >>> check_method(KD, without={name: "this example is short" for name in list(CHECKS)[1:]})
    ['configuration']
    """
    made = method() if isinstance(method, type) and issubclass(method, Method) else method
    if not isinstance(made, Method):
        raise ConfigError(
            f"{method!r} is no method, in check_method: give a class that derives from Method, or one made"
        )
    if made.needs.graphs:
        raise ConfigError(f"method {made.name!r} compares whole graphs, but check_method has nodes for items only")
    case = Case(made, teacher, equal_layers)
    names = asked(CHECKS, without or {}, "check_method")
    for name in names:
        run_check(name, case)
    return names


def run_check(name: str, case: Case) -> None:
    """One check; raises BrokenInvariant with its name, what it asks for, and what it found."""
    check = CHECKS[name]
    try:
        check(case)
    except (AssertionError, GraphstillError) as error:
        wanted = (check.__doc__ or "").strip().partition("\n")[0]
        raise BrokenInvariant(f"method {case.method.name!r} breaks {name!r}. {wanted} Found: {error}") from error


def configuration(case: Case) -> None:
    """A recipe gives back the method that wrote it."""
    method, cls = case.method, type(case.method)
    require("__dataclass_fields__" in cls.__dict__, f"put @dataclass(frozen=True) before class {cls.__name__}")
    config = method.config()
    if METHODS.get(method.name) is cls or (importable(cls) and plugins.is_path(method.name)):
        require(make_method(config) == method, f"{config} makes {make_method(config)}")
    config.pop("name")
    require(cls(**config) == method == dataclasses.replace(method), f"{config} makes {cls(**config)}")


def resumes_exactly(case: Case) -> None:
    """Killed after an epoch and resumed, a run ends bit-identical to an undisturbed one."""
    with tempfile.TemporaryDirectory() as folder:
        whole_folder, cut_folder = Path(folder, "whole"), Path(folder, "cut")
        whole = case.run([0, 1], directory=whole_folder)
        with contextlib.suppress(Killed):
            case.run([0, 1], directory=cut_folder, progress=kill_at(4))
        require(not (cut_folder / "result.json").exists(), "the run that should be killed came to its end")
        resumed = case.run([0, 1], directory=cut_folder, resume=True)
        files = [(place / "metrics.jsonl").read_text(encoding="utf-8") for place in (whole_folder, cut_folder)]
    after = _weights(resumed)
    for key, value in _weights(whole).items():
        require(torch.equal(after[key], value), f"weights {key} differ after resuming")
    for key in ("validation", "best_epoch", "test", "history"):
        require(resumed.result[key] == whole.result[key], f"{key} differs after resuming")
    require(files[0] == files[1] and files[0].count("\n") == SHORT.epochs, "metrics.jsonl differs after resuming")


def one_seed_alone_equals_one_of_many(case: Case) -> None:
    """A run with one seed ends like the same seed among others."""
    many, alone = case.run([0, 7, 3]), case.run([7])
    peers, batch = many.peers, tiny_task().full_batch()
    # Outputs, not weights: Adam turns rounding in a nearly zero gradient into a step that no output shows.
    for several, one in zip(many.cohorts, alone.cohorts, strict=True):
        # One block of all members holds run 1 at peers..2·peers; one block a peer holds it at 1.
        rows = slice(peers, 2 * peers) if len(many.cohorts) == 1 else slice(1, 2)
        logits = several(batch.x, batch.graph).logits[rows]
        torch.testing.assert_close(logits, one(batch.x, batch.graph).logits, rtol=2e-2, atol=2e-2)
    best = many.result["best_epoch"][peers : 2 * peers]
    require(best == alone.result["best_epoch"], f"best epochs {best} and {alone.result['best_epoch']}")


def runs_never_mix(case: Case) -> None:
    """The terms and gradients of a run are the same whatever other runs are beside it."""
    many, alone = case.stage([0, 7, 3]), case.stage([7])
    peers = many.group.peers
    a, b = many.total(), alone.total()
    torch.testing.assert_close(a[peers : 2 * peers], b, rtol=1e-4, atol=1e-6)
    if not a.requires_grad:
        return
    a.sum().backward()
    b.sum().backward()
    pairs = zip(*(s.group.blocks[0].cohort.parameters() for s in (many, alone)), strict=True)
    for several, one in pairs:
        require((several.grad is None) == (one.grad is None), "a parameter has a gradient in one of the two only")
        if several.grad is not None and one.grad is not None:
            torch.testing.assert_close(several.grad[peers : 2 * peers], one.grad, rtol=1e-3, atol=1e-6)


def gradients_stay_with_the_student(case: Case) -> None:
    """Terms are [members] and finite; gradients are finite, reach the student, and neither target nor adversary."""
    stage = case.stage([0, 1])
    for view in [v for v in (stage.t, stage.peers) if v is not None]:
        tensors = [view.logits, *(h.pre for h in view.hidden)]
        require(not any(tensor.requires_grad for tensor in tensors), "the target has a gradient")
    require(stage.terms(), "`loss` returns no term")
    for name, term in stage.terms().items():
        require(term.shape == (stage.group.members,), f"term {name!r} is {tuple(term.shape)}, not [members]")
        require(term.isfinite().all(), f"term {name!r} is {term.tolist()}")
    stage.total().sum().backward()
    grads = [p.grad for p in stage.group.blocks[0].cohort.parameters() if p.grad is not None]
    require(all(g.isfinite().all() for g in grads), "a gradient is not finite")
    require(any(g.abs().max() > 0 for g in grads), "no gradient reaches the student")
    adversary = stage.active[0].parts.adversary
    if adversary is not None:
        require(all(p.grad is None for p in adversary.parameters()), "the student's loss trains the adversary")


def minimal_at_target(case: Case) -> None:
    """Where the student equals its target, no small change lowers the method's terms."""
    stage = case.stage([0])
    first = map_view(stage.s.detach(), lambda x: x[:1].expand(stage.group.members, -1, -1).contiguous())
    if case.equal_layers:
        first.hidden = [first.hidden[0]] * len(first.hidden)
    at_target = stage.total(first, as_target(first, stage.t)).detach()
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)

        def shift(x: Tensor, generator: torch.Generator = generator) -> Tensor:
            return x + 0.05 * torch.randn(x.shape, generator=generator)

        moved = stage.total(map_view(first, shift), as_target(first, stage.t)).detach()
        require((moved >= at_target - 1e-6).all(), f"{moved.tolist()} near the target, {at_target.tolist()} at it")


def order_of_nodes_changes_nothing(case: Case) -> None:
    """With its nodes in another order, a graph gives the same terms."""
    order = np.random.default_rng(0).permutation(120)
    here, there = case.stage([0, 1]), case.stage([0, 1], order=order)
    torch.testing.assert_close(here.total(), there.total(), rtol=1e-4, atol=1e-6)


def several_labels(case: Case) -> None:
    """Terms are finite where a node has several labels."""
    total = case.stage([0], multi_label=True).total()
    require(total.isfinite().all(), f"terms {total.tolist()}")


#: Every check by its name, the quickest first.
CHECKS: dict[str, Callable[[Case], None]] = {
    check.__name__: check
    for check in (
        configuration,
        gradients_stay_with_the_student,
        several_labels,
        order_of_nodes_changes_nothing,
        minimal_at_target,
        runs_never_mix,
        one_seed_alone_equals_one_of_many,
        resumes_exactly,
    )
}


def _weights(run: Run) -> dict[str, Tensor]:
    return {f"{i}.{k}": v for i, c in enumerate(run.cohorts) for k, v in c.state_dict().items()}
