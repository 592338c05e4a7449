"""Where an export comes from: a run, the folder of one, and what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from graphstill import plain_yaml
from graphstill.data import NodeTask, Task, datasets
from graphstill.engine import Run, Teacher, evaluate
from graphstill.errors import CheckpointError, ConfigError

RESULT, COMPARISON, RECIPE, STUDENT = "result.json", "comparison.json", "recipe.yaml", "student"


#: What can be exported and measured: a run or its folder, or a module that was trained elsewhere.
Trained = Run | nn.Module | Teacher | str | Path
#: Data, or the file that they are in.
OwnTask = Task | str | Path | None


@dataclass(frozen=True, eq=False)
class Source:
    """A finished run; ``comparison`` is what its recipe found out about it, ``recipe`` the recipe itself.

    ``baseline`` is the undistilled student that it is to be compared with.
    """

    run: Run
    comparison: dict[str, Any] | None = None
    recipe: dict[str, Any] | None = None
    baseline: Run | None = None

    @property
    def of_images(self) -> bool:
        return of_images(self.run.result["protocol"])

    def task(self, root: str | Path | None = None) -> Task | None:
        """The data of the run, loaded again as its recipe says; None where there is no recipe.

        Raises:
            DataError: the data is not to be found.
        """
        if self.recipe is None:
            return None
        named = self.recipe["task"]
        return datasets.loader(named["name"], root)(root=root, **named)


def of_images(protocol: Mapping[str, Any]) -> bool:
    """Whether a run with this protocol learnt from images, not from nodes."""
    return "image_size" in protocol


def source_of(run: Trained, task: Task | None = None, baseline: Run | str | Path | None = None) -> Source:
    """A run as it is, or from its folder: of `train`, or of `distill`, whose student is meant; or a trained module.

    Raises:
        CheckpointError: no finished run there. ConfigError: a module without its task, or something else.
    """
    twin = Run.load(baseline) if isinstance(baseline, str | Path) else baseline
    if twin is not None and not isinstance(twin, Run):
        raise ConfigError(
            f"baseline is a {type(twin).__name__}: give the Run of the undistilled student, or its folder"
        )
    if isinstance(run, Run):
        return Source(run, baseline=twin)
    if isinstance(run, nn.Module | Teacher):
        return Source(_given(run, task), baseline=twin)
    if not isinstance(run, str | Path):
        raise ConfigError(
            f"a {type(run).__name__} is given in graphstill.export: give a Run or its folder, or a trained "
            "torch.nn.Module with the task that it was trained for"
        )
    folder = Path(run)
    if not (folder / RESULT).is_file() and (folder / STUDENT / RESULT).is_file():
        folder = folder / STUDENT
    above = folder.parent if folder.name == STUDENT else folder
    return Source(Run.load(folder), _json(above / COMPARISON), _yaml(above / RECIPE), twin)


def task_of(given: OwnTask) -> Task | None:
    """A task as it is, or from the file that `save` wrote.

    Raises:
        ConfigError: something else is given. DataError: no such file, or one that is no task.
    """
    if isinstance(given, str | Path):
        return NodeTask.from_npz(given)
    if given is not None and not isinstance(given, Task):
        raise ConfigError(f"task is a {type(given).__name__}: give a task, or the path of a file that task.save wrote")
    return given


def _given(module: nn.Module | Teacher, task: Task | None) -> Run:
    """A module as a run, its test figure not asked for: for that there is `evaluate`."""
    if task is None:
        raise ConfigError(
            f"{type(module).__name__} is given without its data: give task=, which says how many features and classes "
            "there are, and what its validation figure is measured on"
        )
    return evaluate(module, task, open_test=False)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except json.JSONDecodeError as error:
        raise CheckpointError(f"{path} is broken ({error}): restore it from a copy or run again") from error
    return found if isinstance(found, dict) else None


def _yaml(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    found = plain_yaml.load(plain_yaml.read_text(path, "the recipe of the run"), str(path))
    return found if isinstance(found, dict) and "task" in found else None
