"""Where an export comes from: a run, the folder of one, and what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphstill import plain_yaml
from graphstill.data import Task, datasets
from graphstill.engine import Run
from graphstill.errors import CheckpointError

RESULT, COMPARISON, RECIPE, STUDENT = "result.json", "comparison.json", "recipe.yaml", "student"


@dataclass(frozen=True, eq=False)
class Source:
    """A finished run; ``comparison`` is what its recipe found out about it, ``recipe`` the recipe itself."""

    run: Run
    comparison: dict[str, Any] | None = None
    recipe: dict[str, Any] | None = None

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


def source_of(run: Run | str | Path) -> Source:
    """A run as it is, or from its folder: of `train`, or of `distill`, whose student is meant.

    Raises:
        CheckpointError: no finished run there.
    """
    if isinstance(run, Run):
        return Source(run)
    folder = Path(run)
    if not (folder / RESULT).is_file() and (folder / STUDENT / RESULT).is_file():
        folder = folder / STUDENT
    above = folder.parent if folder.name == STUDENT else folder
    return Source(Run.load(folder), _json(above / COMPARISON), _yaml(above / RECIPE))


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
