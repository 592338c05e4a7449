"""Run directories: new ones never collide, old ones are entered on purpose and with the same recipe only."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from graphstill.errors import CheckpointError
from graphstill.study.directory import new_directory, run_directory

RECIPE = "name: kd\ntraining:\n  lr: 0.01\n"


def test_concurrent_runs_get_different_directories(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_directory("kd", tmp_path), range(24)))
    assert sorted(made) == sorted(tmp_path / f"kd-{n}" for n in range(1, 25))


def test_a_run_directory_says_what_made_it_and_is_locked(tmp_path: Path) -> None:
    with run_directory(tmp_path / "a", RECIPE) as path:
        assert (path / "recipe.yaml").read_text() == RECIPE
        assert json.loads((path / "environment.json").read_text())["python"]
        with (
            pytest.raises(CheckpointError, match="in use"),
            run_directory(tmp_path / "a", RECIPE, resume=True),
        ):
            pass
    assert not (tmp_path / "a" / "study.lock").exists()


def test_an_old_run_needs_resume_and_the_same_recipe(tmp_path: Path) -> None:
    with run_directory(tmp_path / "a", RECIPE, resume=True):  # a fresh one is fine
        pass
    with pytest.raises(CheckpointError, match="Add --resume"), run_directory(tmp_path / "a", RECIPE):
        pass
    with (
        pytest.raises(CheckpointError, match=r"differ in training\.lr, seeds:"),
        run_directory(tmp_path / "a", "name: kd\ntraining: {lr: 0.1}\nseeds: 3\n", resume=True),
    ):
        pass
    assert (tmp_path / "a" / "recipe.yaml").read_text() == RECIPE
    with run_directory(tmp_path / "a", RECIPE, resume=True):
        pass


def test_somebody_elses_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(CheckpointError, match=r"no recipe\.yaml"), run_directory(tmp_path, RECIPE, resume=True):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(CheckpointError, match="not a directory"), run_directory(tmp_path / "thesis.tex", RECIPE):
        pass


def test_the_lock_is_released_when_a_run_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="diverged"), run_directory(tmp_path / "a", RECIPE):
        raise RuntimeError("diverged")
    with run_directory(tmp_path / "a", RECIPE, resume=True):
        pass
