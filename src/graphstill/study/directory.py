"""Run directories: made in one step, owned by one run at a time, and never mixed from two recipes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphstill import plain_yaml
from graphstill.environment import environment
from graphstill.errors import CheckpointError
from graphstill.files import atomic_write_json, atomic_write_text, remove_leftovers
from graphstill.lock import Lock

# Not "lock": that is the lock of the engine, which takes it for each run that it trains in the same or an inner folder.
RECIPE, ENVIRONMENT, LOCK = "recipe.yaml", "environment.json", "study.lock"


def new_directory(name: str, root: str | Path = "runs") -> Path:
    """Make and return the first `root/name-<n>` that does not exist; two processes never get the same one."""
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = root / f"{name}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


@contextmanager
def run_directory(path: str | Path, recipe: str, *, resume: bool = False) -> Iterator[Path]:
    """Own `path` for the length of the block, with `recipe` (canonical YAML) and the environment written into it.

    A directory that holds a run already is entered only with `resume`, and only for the same recipe; with `resume`, a
    directory that is not there yet is simply a fresh one, so that a nightly job needs one command.

    Raises CheckpointError: in use by another run, holds a run and `resume` was not asked for, holds another recipe, or
    holds files that are no run's.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise CheckpointError(f"not a directory: {path}. Give another one (--dir).")
    made = not path.exists()
    try:
        with Lock(path / LOCK):
            remove_leftovers(path)
            _check(path, recipe, resume)
            begun = (path / RECIPE).exists()
            atomic_write_text(path / RECIPE, recipe)
            atomic_write_json(path / ENVIRONMENT, environment())
            try:
                yield path
            except BaseException:
                if not begun and {entry.name for entry in path.iterdir()} <= {RECIPE, ENVIRONMENT, LOCK}:
                    for name in (RECIPE, ENVIRONMENT):  # of a run that never began nothing stays behind
                        (path / name).unlink(missing_ok=True)
                raise
    except BaseException:
        if made and path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        raise


def _check(path: Path, recipe: str, resume: bool) -> None:
    present = {entry.name for entry in path.iterdir()} - {LOCK, ENVIRONMENT}
    if not present:
        return
    if RECIPE not in present:
        raise CheckpointError(
            f"the directory holds files but no {RECIPE}, so it is no run's: {path}. Choose an empty or new one (--dir)."
        )
    if not resume:
        raise CheckpointError(
            f"the directory holds a run already: {path}. Add --resume to go on with it, or choose another one (--dir)."
        )
    old = plain_yaml.load(plain_yaml.read_text(path / RECIPE, "the recipe of the run"), str(path / RECIPE))
    if isinstance(old, dict) and "method" in old:
        old.setdefault("guard", False)  # of before there were guards
    differing = _differences(old, plain_yaml.load(recipe, "the recipe"))
    if differing:
        raise CheckpointError(
            f"the recipe is not the one that this run was started with, they differ in {', '.join(differing)}: "
            f"{path / RECIPE}. Resume with the same recipe and overrides, or choose another directory (--dir)."
        )


def _differences(old: object, new: object, path: str = "") -> list[str]:
    """Dotted names of what differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for key in dict.fromkeys([*old, *new]):
            inner = f"{path}.{key}" if path else str(key)
            found += _differences(old.get(key), new.get(key), inner)
        return found
    return [] if old == new else [path]
