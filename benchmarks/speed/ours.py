"""Our side: the engine's own loop, held before its first epoch, and run step by step."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.case import Step

from graphstill.data import NodeTask
from graphstill.engine import Training, distill
from graphstill.engine.loop import Loop
from graphstill.method import Composite, Method
from graphstill.methods import Independent
from graphstill.nn import Model

#: More than any measurement runs.
EPOCHS = 10**6


class _Held(BaseException):
    """Carries a loop out of `distill`."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop = loop


def loop(
    task: NodeTask,
    model: Model,
    method: Method | Composite | None = None,
    *,
    peers: int | None = None,
    seeds: int = 1,
    teacher: Any = None,
    **training: Any,
) -> Loop:
    """What `distill` would run."""

    def hold(self: Loop) -> None:
        raise _Held(self)

    runs = Loop.run
    Loop.run = hold  # type: ignore[method-assign]
    try:
        settings = Training(**{"epochs": EPOCHS, "lr": 0.005, "weight_decay": 5e-4, **training})
        distill(
            model, task, method=method or Independent(), teacher=teacher, peers=peers, seeds=seeds, training=settings
        )
    except _Held as held:
        return held.loop
    finally:
        Loop.run = runs  # type: ignore[method-assign]
    raise RuntimeError("distill ran no loop. Where: benchmarks.speed.ours. Look how engine.api starts one.")


def training_step(held: Loop, validate: bool = False) -> Step:
    """One epoch of one batch; `validate` adds the validation pass and what selection does with it."""

    def step() -> None:
        held._train_epoch()
        held.epoch += 1
        if validate:
            held._validate()

    return step


def evaluation(held: Loop) -> Step:
    """One validation pass, as if the weights had changed."""

    def step() -> None:
        for block in held.group.blocks:
            block.changed()
        held._validate()

    return step
