"""Recipes with a privileged teacher or a start: what is checked, what runs, what is written and said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphstill.cli.distill import summary
from graphstill.datasets import load
from graphstill.engine import Run
from graphstill.errors import CheckpointError, ConfigError, DataError
from graphstill.nn import MODELS
from graphstill.report.changes import data_text, notes
from graphstill.report.tables import results_rows
from graphstill.study.recipe import parse_recipe, read_recipe
from graphstill.study.runner import run_recipe
from tests.data.test_npz_files import written

RECIPES = Path(__file__).parents[2] / "recipes"

PRIVILEGED = """\
name: privileged
task: {name: digits, train: 10, edges_removed: 0.5}
teacher:
  model: {name: gcn, hidden: 16}
  training: {epochs: 20}
  task: full
student: {name: gcn, hidden: 8}
method: kd
training: {epochs: 8}
seeds: 2
guard: false
"""

START = """\
name: transfer
task: {name: digits, train: 5}
start:
  task: {name: toy.npz, seed: 1}
  training: {epochs: 6}
student: {name: gcn, hidden: 8, layers: 3}
method: independent
training: {epochs: 8}
seeds: 2
"""


def test_a_teacher_is_as_the_students_unless_it_is_said() -> None:
    teacher = parse_recipe(PRIVILEGED).resolved()["teacher"]
    assert (teacher["task"], teacher["graph"]) == ("full", "full")
    teacher = parse_recipe(PRIVILEGED.replace("  task: full\n", "")).resolved()["teacher"]
    assert (teacher["task"], teacher["graph"]) == ("same", "own")
    assert parse_recipe(PRIVILEGED, ["teacher.graph=own"]).resolved()["teacher"]["graph"] == "own"
    whole = parse_recipe(PRIVILEGED.replace(", edges_removed: 0.5", "").replace("  task: full\n", "")).resolved()
    assert set(whole["teacher"]) == {"model", "training", "seeds"} and "start" not in whole


def test_a_start_has_the_students_network_and_settings_of_its_own() -> None:
    start = parse_recipe(START).resolved()["start"]
    assert start["task"]["seed"] == 1 and start["training"]["epochs"] == 6 and start["shuffle_labels"] is False
    assert start["training"]["weight_decay"] == MODELS["gcn"].defaults["weight_decay"]
    assert parse_recipe(START, ["start={run: there}"]).resolved()["start"] == {"run": "there"}


@pytest.mark.parametrize("text", [PRIVILEGED, START])
def test_the_canonical_form_reads_as_itself(text: str) -> None:
    dump = parse_recipe(text).dump()
    assert parse_recipe(dump).dump() == dump


@pytest.mark.parametrize(
    ("text", "old", "new", "line", "message"),
    [
        (PRIVILEGED, ", edges_removed: 0.5", "", 6, "nothing is removed from the task"),
        (PRIVILEGED, "task: full", "graph: half", 6, "graph is 'half'"),
        (PRIVILEGED, "task: full", "tsk: full", 6, "did you mean 'task'"),
        (PRIVILEGED, "edges_removed: 0.5", "edges_removed: half", 2, "edges_removed is 'half'"),
        (START, "  training: {epochs: 6}", "  run: there", 3, "either `run`"),
        (START, "seed: 1", "sed: 1", 4, "unknown key 'sed' in task"),
        (START, "epochs: 6", "epoch: 6", 5, "did you mean 'epochs'"),
    ],
)
def test_errors_name_the_line(text: str, old: str, new: str, line: int, message: str) -> None:
    assert text.count(old) == 1
    with pytest.raises(ConfigError, match=message) as error:
        parse_recipe(text.replace(old, new))
    assert f"line {line}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "overrides", "message"),
    [
        (PRIVILEGED, ["teacher={run: there, task: full}"], "takes no task"),
        (START, ["start={run: there, shuffle_labels: true}"], "takes no shuffle_labels"),
        (START, ["start={training: {epochs: 3}}"], "either `run`"),
    ],
)
def test_what_is_trained_already_takes_no_settings(text: str, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_recipe(text, overrides)


def test_committed_recipes_of_changing_graphs_and_transfer() -> None:
    """What --dry-run prints."""
    for what, key in (("edges", "edges_removed"), ("nodes", "train_removed")):
        for method in ("gkd", "kd"):
            found = read_recipe(RECIPES / f"{method}-{what}-cora.yaml").resolved()
            assert found["task"][key] == 0.5 and found["teacher"]["task"] == found["teacher"]["graph"] == "full"
            assert found["teacher"]["model"] == found["baseline_student"] == found["student"] | {"dropout": 0.5}
    assert read_recipe(RECIPES / "kd-edges-own-cora.yaml").resolved()["teacher"]["graph"] == "own"
    pair = [read_recipe(RECIPES / f"transfer-{name}-cora.yaml").resolved() for name in ("citeseer", "shuffled")]
    assert [found["start"]["shuffle_labels"] for found in pair] == [False, True]
    assert pair[0]["start"]["task"] == pair[1]["start"]["task"] and pair[0]["student"] == pair[1]["student"]


def test_a_privileged_teacher_runs_and_says_so(tmp_path: Path) -> None:
    recipe = parse_recipe(PRIVILEGED)
    found = run_recipe(recipe, tmp_path / "run")
    task = load("digits", train=10, edges_removed=0.5)
    assert task.origin is not None
    hashes = {
        part: Run.load(tmp_path / "run" / part).result["data_hash"] for part in ("teacher", "baseline", "student")
    }
    assert hashes == {"teacher": task.origin.hash, "baseline": task.hash, "student": task.hash}
    assert found["protocol"]["teacher"]["privileged"]["outputs_on"] == "full"
    assert len(found["teacher"]["frozen"]["mean"]) == 2
    text = summary(found)
    assert "without 50 % of the edges" in text and "privileged teacher: trained on the full graph" in text
    assert "frozen, on the students' graph, it is" in text
    (row,) = results_rows([found])
    assert "without 50 % of the edges" in row["data"] and "on the full graph" in row["teacher"]
    again = run_recipe(recipe, tmp_path / "run", resume=True)
    assert {**again, "environment": 0} | {"teacher": 0} == {**found, "environment": 0} | {"teacher": 0}
    assert again["teacher"]["frozen"]["mean"] == found["teacher"]["frozen"]["mean"]
    # A run that is trained already is known by its hash.
    other = parse_recipe(PRIVILEGED, [f"teacher={{run: {tmp_path / 'run' / 'teacher'}, graph: own}}", "baseline=false"])
    frozen = run_recipe(other, tmp_path / "frozen")
    assert frozen["protocol"]["teacher"]["privileged"]["outputs_on"] == "own"
    assert frozen["student"]["test"] != found["student"]["test"] or (
        frozen["student"]["validation"] != found["student"]["validation"]
    )


def test_full_teachers_are_shared_and_reduced_ones_are_not(tmp_path: Path) -> None:
    def made(overrides: list[str], directory: str) -> dict[str, Any]:
        recipe = parse_recipe(PRIVILEGED, ["baseline=false", "training.epochs=1", *overrides])
        return run_recipe(recipe, tmp_path / directory, store=tmp_path / "parts")

    one = made([], "a")
    two = made(["task={name: digits, train: 10, train_removed: 0.5}"], "b")
    assert one["teacher"]["test"] == two["teacher"]["test"] and len(list((tmp_path / "parts").iterdir())) == 1
    made(["teacher.task=same"], "c")
    assert len(list((tmp_path / "parts").iterdir())) == 2


def test_a_start_runs_and_its_transfer_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "toy.npz")
    found = run_recipe(parse_recipe(START), tmp_path / "run")
    source = Run.load(tmp_path / "run" / "start")
    assert source.result["test"] is None and source.seeds == [0, 1]
    assert found["start"]["copied"] == ["convs.1.weight", "convs.1.bias"]
    assert found["start"]["labels_shuffled"] is None
    assert set(found["transfer"]) == {"jumpstart", "asymptotic_gap", "transfer_ratio"}
    assert found["transfer"]["jumpstart"]["n"] == 2
    text = summary(found)
    assert "start: transfer/start (toy), one for each member; copied convs.1.weight" in text
    assert "transfer ratio in per cent: " in text
    shuffled = run_recipe(parse_recipe(START, ["start.shuffle_labels=true", "baseline=false"]), tmp_path / "shuffled")
    assert shuffled["start"]["labels_shuffled"] == 1 and shuffled["transfer"] == {}
    assert shuffled["start"]["data_hash"] == load("toy.npz").with_shuffled_labels(1).hash
    assert "shuffled labels" in summary(shuffled)
    cells = [row["method"] for row in results_rows([found, shuffled])]
    assert cells == ["independent, started from toy", "independent, started from toy (labels shuffled)"]
    again = parse_recipe(START, [f"start={{run: {tmp_path / 'run' / 'start'}}}"])
    assert run_recipe(again, tmp_path / "again")["student"]["test"] == found["student"]["test"]
    with pytest.raises(CheckpointError, match=r"differ in start\.shuffle_labels"):
        run_recipe(parse_recipe(START, ["start.shuffle_labels=true"]), tmp_path / "run", resume=True)
    with pytest.raises(DataError, match="it may have seen this task's test nodes"):
        run_recipe(parse_recipe(START, ["start.task={name: digits, k: 9}"]), tmp_path / "seen")


def test_an_ordinary_result_needs_no_note() -> None:
    protocol = {"dataset": "cora", "split": "public", "setting": "transductive", "teacher": {"kind": "run"}}
    assert notes({"protocol": protocol, "teacher": {"test": {}}, "transfer": {}}) == []
    assert data_text(protocol) == "cora, public, transductive"
    steps = {"edges_removed": [{"share": 0.5}], "train_removed": [{"share": 0.25}]}
    assert data_text(protocol | steps).endswith("without 50 % of the edges, without 25 % of the training nodes")
