"""Folders that are written once for all tests that only read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphstill.runtime import Predictor
from tests.runtime.folders import TOYS, write


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("exported")
    return {name: write(root / name, name) for name in TOYS}


@pytest.fixture(scope="session")
def predictors(folders: dict[str, Path]) -> dict[str, Predictor]:
    """One for each model, and for the other engines of the GCN."""
    split = {name: Predictor(folder) for name, folder in folders.items()}
    others = (("gcn", "onnx"), ("gcn", "int8"), ("gcn-bare", "onnx"))
    return {**split, **{f"{name}/{engine}": Predictor(folders[name], engine=engine) for name, engine in others}}
