"""Grids: which recipes a file becomes, what a search may set, and that two arms get the same numbers of trials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from graphstill.data.sealed import SealedTest
from graphstill.errors import ConfigError
from graphstill.methods import METHODS
from graphstill.study.grid import Grid, check_grid, read_grid
from graphstill.study.parts import task_kind
from graphstill.study.recipe import check_recipe
from graphstill.study.runner import run_recipe
from graphstill.study.source import Source
from graphstill.study.statistics import paired
from graphstill.study.sweep import TRIAL_SEEDS, run_grid
from tests.tiny import arrays

GRIDS = Path(__file__).parents[2] / "recipes" / "grids"
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "studies"

TEXT = """\
name: tiny
recipe:
  teacher: {model: {name: gcn, hidden: 16}, training: {epochs: 6}}
  student: {name: gcn, hidden: 4}
  training: {epochs: 4}
  seeds: 5
tasks:
  digits: {task: digits}
  thin: {task: {name: digits, k: 2}, tune: {trials: 1}}
methods:
  kd: {method: {name: kd}, space: {method.temperature: [2.0, 4.0]}}
  deep-oad: {teacher: null, peers: 2, student: {layers: 3}, method: {name: oad}, without: [thin]}
tune:
  trials: 3
  seeds: 2
  space: {student.dropout: [0.1, 0.3, 0.7], training.lr: [0.02, 0.03]}
"""


def grid(**changes: Any) -> Grid:
    return check_grid(Source({**yaml.safe_load(TEXT), **changes}, "grid.yaml"))


def test_cells_are_recipes() -> None:
    cells = {cell.name: cell for cell in grid().cells}
    assert list(cells) == ["kd-digits", "deep-oad-digits", "kd-thin"]
    oad = cells["deep-oad-digits"].recipe()
    assert oad.peers == 2 and oad.teacher is None
    assert (oad.student["hidden"], oad.student["layers"]) == (4, 3)
    assert oad.training["epochs"] == 4
    assert cells["kd-thin"].recipe().task["k"] == 2
    assert [len(cell.trials) for cell in cells.values()] == [3, 3, 1]


def test_both_arms_get_trials_of_the_same_number_and_keep_them_apart() -> None:
    (cell,) = grid().only(["kd-digits"]).cells
    assert len(cell.trials) == len(cell.baseline_trials) == 3
    assert cell.trials[0] == cell.baseline_trials[0] == {}
    assert all(set(trial) == {"student.dropout", "training.lr", "method.temperature"} for trial in cell.trials[1:])
    assert all(set(trial) == {"student.dropout", "training.lr"} for trial in cell.baseline_trials[1:])
    assert grid().cells == grid().cells
    recipe = cell.recipe({"student.dropout": 0.7}, {"training.lr": 0.02})
    assert recipe.baseline_student is not None and recipe.baseline_training is not None
    assert (recipe.student["dropout"], recipe.baseline_student["dropout"]) == (0.7, 0.5)
    assert (recipe.training["lr"], recipe.baseline_training["lr"]) == (0.01, 0.02)


def test_cells_are_chosen_by_row_by_column_and_by_name() -> None:
    def chosen(*words: str) -> list[str]:
        return [cell.name for cell in grid().only(words).cells]

    assert chosen("kd") == ["kd-digits", "kd-thin"]
    assert chosen("digits") == ["kd-digits", "deep-oad-digits"]
    assert chosen("digits", "kd") == ["kd-digits"]
    assert chosen("kd-thin", "deep-oad") == ["deep-oad-digits", "kd-thin"]
    with pytest.raises(ConfigError, match=r"no cell called 'kd-digit' in grid 'tiny'.*did you mean 'kd-digits'"):
        chosen("kd-digit")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"methods": {"kd": {"method": "kd", "space": {"method.temprature": [1.0]}}}},
            "temprature.*override 'method.temprature",
        ),
        ({"methods": {"kd": {"method": "kd", "space": {"seeds": [1]}}}}, "'seeds': .* is nothing to search"),
        ({"methods": {"kd": {"method": "kd", "space": {"method.alpha": 0.5}}}}, "is nothing to search"),
        ({"methods": {"kd": {"method": "kdd"}}}, r"unknown method 'kdd'.*\[digits, kd\]"),
        ({"methods": {"kd": {"method": "kd", "space": "all"}}}, "'all' is nothing to search, in methods.kd.space"),
        (
            {"methods": {"kd": {"method": "kd", "space": {"method.nodes": "own"}}}},
            "no range of its own for 'method.nodes'.*known: method.alpha, method.temperature",
        ),
        ({"methods": {"kd": {"method": "kdd", "space": "own"}}}, "unknown method 'kdd'.*did you mean 'kd'"),
        ({"tune": {"trails": 3}}, "unknown key 'trails' in tune.*did you mean 'trials'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_trained(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        grid(**change)


@pytest.mark.parametrize("path", sorted(GRIDS.glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_grids(path: Path) -> None:
    found = read_grid(path)
    assert found.name == path.stem
    for recipe in (cell.recipe() for cell in found.cells):
        assert len(recipe.seeds) >= (10 if task_kind(recipe.task) == "graph" else 5)
    done = [(cell, RESULTS / path.stem / f"{cell.name}.json") for cell in found.cells]
    for cell, file in ((cell, file) for cell, file in done if file.is_file()):
        tuned = json.loads(file.read_text())["tuned"]  # what was tried then is what would be tried now
        assert [row["trial"] for row in tuned["student"]["trials"]] == list(cell.trials), cell.name
        assert [row["trial"] for row in tuned["baseline"]["trials"]] == list(cell.baseline_trials), cell.name


def test_no_more_draws_than_there_are() -> None:
    found = grid(tune={"trials": 3}, methods={"kd": {"method": "kd", "space": {"method.alpha": [0.5, 0.5]}}})
    assert found.cells[0].trials == ({}, {"method.alpha": 0.5}) and found.cells[0].baseline_trials == ({},)


def test_a_method_s_own_ranges_are_the_same_as_written_out() -> None:
    def trials(method: Any, space: Any) -> Any:
        return grid(methods={"cell": {"method": method, "space": space}}).cells[0].trials

    temperature, alpha = list(METHODS["kd"].space["temperature"]), list(METHODS["kd"].space["alpha"])
    both = {"method.temperature": temperature, "method.alpha": alpha}
    assert trials("kd", "own") == trials("kd", both) != trials("kd", {})
    one = {"method.alpha": "own", "method.nodes": ["train", "all"]}
    assert trials({"name": "kd"}, one) == trials("kd", {**one, "method.alpha": alpha})
    terms = [{"name": "kd"}, {"name": "rkd"}]
    counted = {"method.0.temperature": temperature, "method.0.alpha": alpha, "method.1.weight": [0.3, 1.0, 3.0]}
    assert trials(terms, "own") == trials(terms, counted)


def test_a_study_chooses_on_validation_shares_parts_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    really = SealedTest.open

    def watched(self: SealedTest, run: str, selected_by: str) -> Any:
        opened.append(run.rpartition("-")[0])
        return really(self, run, selected_by)

    monkeypatch.setattr(SealedTest, "open", watched)
    said: list[str] = []
    cells = grid().only(["digits"])
    files = run_grid(cells, tmp_path / "study", say=said.append)
    # One teacher; two control arms, as one cell has peers; two students: no trial has opened the test set.
    assert sorted(opened) == [
        "deep-oad-digits/student",
        "digits-gcn/baseline",
        "digits-gcn/baseline",
        "digits-gcn/teacher",
        "kd-digits/student",
    ]
    found = json.loads(files[0].read_text())
    for arm in ("student", "baseline"):
        tuned = found["tuned"][arm]
        best = max(tuned["trials"], key=lambda row: row["validation"])
        assert len(tuned["trials"]) == 3 and tuned["chosen"] == best["trial"]
        for key, value in best["trial"].items():
            section, option = key.split(".")
            where = found["recipe"][section if arm == "student" else f"baseline_{section}"]
            assert (where[0] if section == "method" else where)[option] == value
    assert min(found["seeds"]) < max(found["seeds"]) < TRIAL_SEEDS
    # The recipe in the result is the whole experiment: run alone, it gives the same figures.
    alone = run_recipe(check_recipe(Source(found["recipe"], "result")), tmp_path / "alone")
    for part in ("teacher", "baseline", "student"):
        assert alone[part]["test"] == found[part]["test"]
    files[1].unlink()
    opened.clear()
    assert run_grid(cells, tmp_path / "study", say=said.append) == files
    assert opened == [] and files[1].is_file(), "what was finished is loaded, not trained again"


def test_public_splits_are_paired_split_by_split(tmp_path: Path) -> None:
    x, edges, y = arrays()
    parts = np.stack([np.random.default_rng(split).permutation(len(y)) for split in range(5)])
    names = {"train_masks": slice(0, 30), "val_masks": slice(30, 70), "test_masks": slice(70, None)}
    masks = {name: np.zeros((5, len(y)), dtype=bool) for name in names}
    for name, rows in names.items():
        for split in range(5):
            masks[name][split, parts[split][rows]] = True
    np.savez(tmp_path / "tiny.npz", x=x, edge_index=edges, y=y, **masks)
    cells = grid(
        tasks={"tiny": {"task": str(tmp_path / "tiny.npz"), "splits": 5, "tune": {"trials": 2}}},
        methods={"kd": {"method": "kd"}},
    )
    (file,) = run_grid(cells, tmp_path / "study", say=[].append)
    found = json.loads(file.read_text())
    assert found["seeds"] == [0, 1, 2, 3, 4] and found["protocol"]["split"] == "5 public splits"
    assert len(set(found["data_hash"])) == 5
    for split in range(5):
        alone = json.loads(
            (tmp_path / "study" / "cells" / "kd-tiny" / f"split-{split}" / "comparison.json").read_text()
        )
        assert alone["protocol"]["split"] != found["protocol"]["split"] and alone["seeds"] == [split]
        for part in ("teacher", "baseline", "student"):
            assert found[part]["test"]["mean"][split] == alone[part]["test"]["mean"][0]
    ours, theirs = (found[part]["test"]["mean"] for part in ("student", "baseline"))
    assert found["comparison"]["mean"]["p"] == paired(ours, theirs).p is not None
    with pytest.raises(ConfigError, match="splits is 1"):
        grid(tasks={"digits": {"task": "digits", "splits": 1}})
