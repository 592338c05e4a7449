"""Memory that cannot suffice is refused before anything is allocated, and a failing allocation says what helps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch

from graphstill.data import NodeTask, Task
from graphstill.errors import ConfigError
from graphstill.nn import ForeignModel, KnownLabels, Model

#: Copies of the weights that a training holds at least: themselves, the selected ones, a gradient, two moments.
COPIES = 5
ADVICE = (
    "train fewer seeds or peers at once, narrower or fewer layers, training.execution='looped'; on a large graph "
    "subgraphs (task.walk_roots, NodeTask.with_walks), with several graphs fewer a batch (batch_graphs)"
)
_FAILED = ("can't allocate memory", "not enough memory", "Storage size calculation overflowed", "bad_alloc")


def least_bytes(models: Sequence[Model], task: Task, runs: int, known: KnownLabels | None) -> int:
    """What training these peers takes at the very least: weights with gradient, moments and copy, and the logits twice.

    The whole of it, with the arrays between the layers, is more by a factor that depends on network and method. A
    foreign network is counted by its outputs alone: its weights are known when it is made.
    """
    weights = 0
    for model in models:
        if not isinstance(model, ForeignModel):
            weights += COPIES * 4 * runs * model.parameters_count(task.in_features, task.num_outputs, known)
    whole = isinstance(task, NodeTask) and task.walks is None and task.graph_ptr is None
    rows = task.num_nodes if whole else 0
    return weights + 2 * 4 * rows * task.num_outputs * runs * len(models)


def available_bytes() -> int:
    """Memory that this process can still get: of the machine, its control group, and its own limit."""
    bounds = [_free()]
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text("ascii").strip()
        if limit != "max":
            bounds.append(int(limit) - int((group / "memory.current").read_text("ascii")))
    except (OSError, ValueError):
        pass  # no control groups here, or none that limits memory
    try:
        import resource

        import psutil

        limits = (
            (resource.RLIMIT_AS, psutil.Process().memory_info().vms),
            (resource.RLIMIT_DATA, psutil.Process().memory_info().rss),
        )
        bounds += [resource.getrlimit(which)[0] - used for which, used in limits if resource.getrlimit(which)[0] > 0]
    except ImportError:
        pass  # no such limits on this system
    return max(0, min(bounds))


def _free() -> int:
    """Memory of the machine that is free or can be freed."""
    table = Path("/proc/meminfo")
    if table.exists():
        for line in table.read_text("ascii", "replace").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    import psutil

    return int(psutil.virtual_memory().available)


def refuse_too_large(models: Sequence[Model], task: Task, runs: int, known: KnownLabels | None) -> None:
    """Raises ConfigError where the least that a training takes is more than there is."""
    if task.y.device.type != "cpu":
        return
    try:
        needed = least_bytes(models, task, runs, known)
    except (RuntimeError, OverflowError) as error:  # sizes that no tensor can have, not even one without memory
        raise ConfigError(f"{models[0]} cannot be made ({_first_line(error)}): {ADVICE}") from error
    free = available_bytes()
    if needed > free:
        raise ConfigError(
            f"training {runs * len(models)} members of {models[0]} on task {task.name!r} takes more than "
            f"{needed / 2**30:,.1f} GB for weights and outputs alone, and {free / 2**30:,.1f} GB are free: {ADVICE}"
        )


@contextmanager
def told() -> Iterator[None]:
    """An allocation that fails inside is a ConfigError that says what helps; nothing else is touched."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _told(error) from error
    except RuntimeError as error:
        if not any(part in str(error) for part in _FAILED):
            raise
        raise _told(error) from error


def _told(error: BaseException) -> ConfigError:
    return ConfigError(f"memory did not suffice ({_first_line(error)}): {ADVICE}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
