"""Recipes by name: those of the checkout, or those that were installed with the package."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path


def recipe_path(given: str | Path) -> Path:
    """The file that is meant: the path itself where it is one, else a recipe of ours, "kd-cora" or
    "recipes/kd-cora.yaml".

    A name that nobody knows comes back as it is, for the reader to refuse.
    """
    path = Path(given)
    if path.exists() or path.is_absolute():
        return path
    name = path.name if path.suffix else f"{path.name}.yaml"
    inner = Path("grids", name) if "grids" in path.parts else Path(name)
    return next((place for place in _places(inner) if place.is_file()), path)


def _places(inner: Path) -> list[Path]:
    checkout = Path(__file__).resolve().parents[3] / "recipes"
    wanted = Path("share", "graphstill", "recipes", inner).as_posix()
    try:
        installed = importlib.metadata.files("graphstill") or []
    except importlib.metadata.PackageNotFoundError:
        installed = []
    found = [Path(str(file.locate())) for file in installed if file.as_posix().endswith(wanted)]
    return [checkout / inner, checkout / "grids" / inner.name, *found]
