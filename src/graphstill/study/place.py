"""Where this machine computes and keeps its data: no part of an experiment, so no part of a recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphstill.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from graphstill.data import Task

#: Names the device for a command and the processes that it starts: "cpu" (also if unset), "cuda", "cuda:1", or "auto".
VARIABLE = "GRAPHSTILL_DEVICE"


def device() -> torch.device:
    """What VARIABLE names; "auto" is CUDA where there is a GPU.

    Raises:
        ConfigError: no such device here.
    """
    import torch

    name = os.environ.get(VARIABLE) or "cpu"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(name)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError) as error:  # torch has no kind of its own for it
        reason = str(error).splitlines()[0]
        raise ConfigError(
            f"no device {name!r} here ({reason}): --device or {VARIABLE}. Give cpu, cuda, or auto."
        ) from error
    return found


def load_task(options: Mapping[str, Any], root: str | Path | None = None) -> Task:
    """The task of a checked recipe, on the device."""
    from graphstill.data import datasets

    where = device()
    task: Task = datasets.loader(options["name"])(root=root, **options)
    return task if where.type == "cpu" else task.to(where)
