"""graphstill distill RECIPE.yaml key=value ..."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphstill.cli.output import Debug, Json, emit, log
from graphstill.cli.progress import progress
from graphstill.cli.runs import Device, Dir, DryRun, Overrides, Resume, Root, resumable, where

NAME = "distill"


def command(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What to train, see the guide.")],
    overrides: Overrides = None,
    directory: Dir = None,
    root: Root = None,
    device: Device = None,
    resume: Resume = False,
    dry_run: DryRun = False,
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Train the teacher, the undistilled and the distilled student of a recipe, and compare them seed by seed."""
    from graphstill.study.recipe import read_recipe
    from graphstill.study.runner import run_recipe

    checked = read_recipe(recipe, overrides or ())
    if dry_run:
        emit({"recipe": checked.resolved()}, json, checked.dump)
        return
    again = ["distill", str(recipe), *(overrides or ()), *where(root, device)]
    with resumable(again, checked.name, directory, resume) as path, progress(parts_of(checked)) as watch:
        found = run_recipe(checked, path, resume=resume, root=root, watch=watch)
    log(f"written: {path}")
    emit({**found, "directory": str(path)}, json, lambda: summary(found))


def parts_of(recipe: Any) -> int:
    """Of how many parts a recipe consists: teacher, start, undistilled student, student."""
    trained = recipe.teacher is not None and recipe.teacher.run is None
    started = recipe.start is not None and recipe.start.run is None
    return trained + started + recipe.baseline + 1


def summary(found: dict[str, Any]) -> str:
    """A few lines for people: protocol first, then the figures."""
    from statistics import mean

    from graphstill.report.changes import data_text, notes

    protocol = found["protocol"]
    lines = [
        f"{found['name']}: {data_text(protocol)}, selected by {protocol['selected_by']}, test {found['metric']}",
        f"loss: {found['effective_loss']}",
    ]
    for part in ("teacher", "baseline", "student"):
        if found[part] is not None:
            test = found[part]["test"]["mean"]
            lines.append(f"{part:>10}  {100 * mean(test):6.2f}  {found[part]['parameters']:>9,} parameters")
    for figure, comparison in found["comparison"].items():
        lines.append(f"student - baseline, {figure}: {comparison['summary']}")
    return "\n".join([*lines, *notes(found)])
