"""By which names networks stand beside each other in a comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import nn

from graphstill.deploy.source import Trained
from graphstill.engine import Run, Teacher
from graphstill.errors import ConfigError


def named(given: Trained | Sequence[Trained] | Mapping[str, Trained]) -> dict[str, Trained]:
    """What is given by the names of its columns: folders by theirs, runs too, modules by their class.

    Raises:
        ConfigError: nothing is given, or a folder twice.
    """
    if isinstance(given, Mapping):
        sources = dict(given)
    else:
        single = isinstance(given, str | Path | Run | nn.Module | Teacher)
        sources = _numbered([given] if single else list(given))  # type: ignore[list-item,arg-type]
    paths = [str(one) for one in sources.values() if isinstance(one, str | Path)]
    if not sources or len(set(paths)) < len(paths):
        raise ConfigError(
            f"given: {', '.join(paths) or 'nothing'}. Where: graphstill bench. Give a recipe's run, or runs, exported "
            "folders and trained modules, each once."
        )
    return sources


def _numbered(given: Sequence[Trained]) -> dict[str, Trained]:
    """By their names; where two have the same, folders by their paths, and all else by its place too."""
    names = [_name(one) for one in given]
    count = Counter(names)
    found: dict[str, Trained] = {}
    for place, (name, one) in enumerate(zip(names, given, strict=True), start=1):
        longer = str(one) if isinstance(one, str | Path) else f"{name} ({place})"
        chosen = name if count[name] == 1 else longer
        found[chosen if chosen not in found else f"{longer} ({place})"] = one
    return found


def _name(one: Trained) -> str:
    if isinstance(one, str | Path):
        return Path(one).resolve().name
    if isinstance(one, Run):
        return one.name
    return type(one.module if isinstance(one, Teacher) else one).__name__
