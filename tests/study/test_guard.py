"""Guards in recipes and studies: on unless said otherwise, as many choices for the twin, old results as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from graphstill.errors import CheckpointError, ConfigError, MethodError
from graphstill.report.changes import guard_text, notes
from graphstill.study.grid import check_grid
from graphstill.study.recipe import parse_recipe
from graphstill.study.runner import over_splits, run_recipe
from graphstill.study.source import Source

TEXT = """\
name: guarded
task: {name: digits, train: 5}
teacher: {model: {name: gcn, hidden: 16}, training: {epochs: 10}}
student: {name: gcn, hidden: 8}
training: {epochs: 10}
method: kd
seeds: 2
"""
PLP = """\
name: plp
task: digits
teacher: {model: gcn}
student: plp
method: cpf
baseline: false
"""
COMMITTED = Path(__file__).parents[2] / "recipes"


def test_recipes_are_guarded_unless_they_say_otherwise() -> None:
    assert parse_recipe(TEXT).guard == [0, 0.1, 1]
    assert parse_recipe(TEXT, ["guard=[1, 0]"]).guard == [0, 1]
    without = parse_recipe(TEXT, ["guard=false"])
    assert without.guard is False and parse_recipe(without.dump()) == without
    assert "guard: false" in without.dump()


def test_there_is_none_where_nothing_can_be_fallen_back_on() -> None:
    assert parse_recipe(PLP).guard is False
    assert parse_recipe("name: a\ntask: digits\nstudent: gcn\nmethod: independent\n").guard is False
    with pytest.raises(MethodError, match=r"cannot be trained without a teacher.*line 7"):
        parse_recipe(PLP + "guard: true\n")
    with pytest.raises(ConfigError, match=r"guard is 'yes'.*line 8"):
        parse_recipe(TEXT + "guard: 'yes'\n")


@pytest.mark.parametrize("path", sorted(COMMITTED.glob("*.yaml")), ids=lambda path: path.stem)
def test_committed_recipes_make_what_was_committed(path: Path) -> None:
    """Their raw results were made without a guard."""
    assert yaml.safe_load(path.read_text("utf-8"))["guard"] is False


def test_a_comparison_tells_what_was_chosen_and_the_twin_has_as_many_choices(tmp_path: Path) -> None:
    found = run_recipe(parse_recipe(TEXT), tmp_path / "run")
    guard, choices = found["guard"], found["choices"]
    assert guard["trainings"] == choices["trainings"] == 3
    assert guard["validation"][0] == choices["validation"][0], "no distillation is the twin's first training"
    assert found["recipe"]["guard"] == [0, 0.1, 1]
    text = "\n".join(notes(found))
    assert f"factor on the distillation {guard['chosen']:g}" in text and "from 3 trainings" in text
    assert guard_text(found) == f", guarded: {guard['chosen']:g}"
    both = over_splits([{**found, "recipe": {**found["recipe"], "task": {"split": n}}} for n in (0, 1)])
    assert guard_text(both) == f", guarded: {guard['chosen']:g} (2 splits)" and notes(both)
    again = run_recipe(parse_recipe(TEXT), tmp_path / "run", resume=True)
    assert {**again, "environment": 0} == {**found, "environment": 0}


def test_directories_of_before_are_of_recipes_without(tmp_path: Path) -> None:
    recipe = parse_recipe(TEXT, ["guard=false"])
    found = run_recipe(recipe, tmp_path / "old")
    assert "guard" not in found and "choices" not in found and guard_text(found) == ""
    path = tmp_path / "old" / "recipe.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if not line.startswith("guard:")))
    with pytest.raises(CheckpointError, match="differ in guard"):
        run_recipe(parse_recipe(TEXT), tmp_path / "old", resume=True)
    again = run_recipe(recipe, tmp_path / "old", resume=True)
    assert {**again, "environment": 0} == {**found, "environment": 0}


def test_cells_of_a_grid_are_guarded_one_by_one() -> None:
    tree = {
        "name": "study",
        "recipe": {"student": "mlp", "teacher": {"model": "gcn"}},
        "tasks": {"digits": {"task": "digits"}},
        "methods": {"glnn": {"method": "glnn"}, "free": {"guard": False, "method": "glnn"}},
    }
    cells = check_grid(Source(tree, "grid")).cells
    assert [cell.recipe().guard for cell in cells] == [[0, 0.1, 1], False]
