"""Methods, models and data sets of other packages, in recipes and on the command line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import graphstill as gs
from graphstill.errors import ConfigError, DataError
from graphstill.method import registry as method
from graphstill.methods import METHODS, find_method, make_method
from graphstill.models import find_model, make_model
from graphstill.nn import registry as model
from graphstill.study.recipe import parse_recipe, read_recipe
from graphstill.study.runner import run_recipe
from graphstill.testing import CHECKS, check_method
from tests import plugged
from tests.cli.conftest import Result
from tests.tiny import Killed

Call = Callable[..., Result]
SHORT = ("training.epochs=4", "teacher.training.epochs=4", "seeds=2", "guard=false")
RECIPE = plugged.PLUGIN / "sure-digits.yaml"
LOOSE = """
name: loose
task: {name: "loose:few", train: 3}
student: {name: "loose:Own", hidden: 4}
method: {name: "loose:Flat", power: 3.0}
training: {epochs: 2}
seeds: 2
guard: false
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = plugged.built(tmp_path_factory.mktemp("plugin"))
    (site / "loose.py").write_text(plugged.LOOSE)
    return site


@pytest.fixture(autouse=True)
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The packages can be imported, and are as good as never seen afterwards."""
    monkeypatch.syspath_prepend(site)
    yield
    forget()


def forget() -> None:
    """As in a process that has imported none of it."""
    METHODS.pop("flat", None)
    method.FOUND.clear()
    model.FOUND.clear()
    for module in ("loose", "graphstill_sure", "graphstill_sure.sure"):
        sys.modules.pop(module, None)


def test_an_entry_point_from_recipe_to_report(graphstill: Call, tmp_path: Path) -> None:
    done = graphstill("distill", str(RECIPE), *SHORT, "--dir", "runs/sure", "--json")
    assert done.code == 0, done.err
    result = json.loads((tmp_path / "runs/sure/comparison.json").read_text())
    assert result["recipe"]["method"] == [{"name": "sure", "keep": 0.5, "weight": 1.0}]
    assert "sure(keep=0.5)" in result["effective_loss"]
    rows = {row["name"]: row for row in graphstill("list", "methods", "--json").json["methods"]}
    assert rows["sure"]["summary"].startswith("Soft targets at the nodes") and rows["sure"]["needs"] == ["teacher"]
    shown = graphstill("show", "sure").out
    assert "keep: float = 0.5" in shown and "keep: 0.25, 0.5, 0.75" in shown and "method=sure" in shown
    assert graphstill("show", "Sure").out == shown
    assert "sure-digits" in graphstill("report", "runs").out
    assert graphstill("export", "runs/sure", "--out", "out").code == 0 and (tmp_path / "out/model.onnx").is_file()


def test_what_every_method_must_keep() -> None:
    assert check_method(find_method("sure")) == list(CHECKS)


def test_another_process_resumes_it(tmp_path: Path, site: Path) -> None:
    recipe = read_recipe(RECIPE, [*SHORT, "training.checkpoint_seconds=0.0"])

    def kill(part: str, epoch: int, epochs: int, figures: dict[str, float]) -> None:  # noqa: ARG001
        if part == "student" and epoch == 2:
            raise Killed

    run_recipe(recipe, tmp_path / "whole")
    with pytest.raises(Killed):
        run_recipe(recipe, tmp_path / "cut", watch=kill)
    (tmp_path / "recipe.yaml").write_text(recipe.dump())
    code = "import sys; from graphstill.cli.app import run; sys.exit(run(sys.argv[1:]))"
    words = ["distill", str(tmp_path / "recipe.yaml"), "--dir", str(tmp_path / "cut"), "--resume", "--json"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    subprocess.run([sys.executable, "-c", code, *words], check=True, env=env, capture_output=True)
    results = [json.loads((tmp_path / d / "student" / "result.json").read_text()) for d in ("whole", "cut")]
    for key in ("validation", "best_epoch", "test", "history"):
        assert results[0][key] == results[1][key], key


def test_places_in_a_recipe(graphstill: Call, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(LOOSE)
    done = graphstill("distill", "recipe.yaml", "--dir", "runs/loose", "--json")
    assert done.code == 0, done.err
    kept = yaml.safe_load((tmp_path / "runs/loose/recipe.yaml").read_text())
    assert kept["task"] == {"name": "loose:few", "train": 3, "seed": 0}
    assert kept["student"] == {"name": "loose:Own", "hidden": 4} and kept["training"]["lr"] == 0.02
    assert kept["method"] == [{"name": "loose:Flat", "power": 3.0, "weight": 1.0}], "not the name its file gave it"
    forget()
    assert graphstill("distill", "recipe.yaml", "--dir", "runs/loose", "--resume").code == 0
    forget()
    run = gs.Run.load("runs/loose/student")
    batch = gs.datasets.load("digits").full_batch()
    assert run.member(0)(batch.x, batch.graph).shape == (1797, 10)
    assert graphstill("export", "runs/loose", "--out", "out").code == 0 and (tmp_path / "out/model.onnx").is_file()
    assert "loose" in graphstill("report", "runs").out
    trained = graphstill("train", "loose:Own", "loose:few", "training.epochs=1", "seeds=1", "--json")
    assert trained.code == 0 and trained.json["name"] == "few-Own"


def test_a_model_of_a_script_is_given_back(tmp_path: Path) -> None:
    own = dataclasses.replace(find_model("loose:Own")(), hidden=4)  # type: ignore[type-var]
    gs.train(own, gs.datasets.load("digits"), training=gs.Training(epochs=1), directory=tmp_path / "run")
    assert gs.Run.load(tmp_path / "run").result["models"] == [{"name": "loose:Own", "hidden": 4}]
    forget()
    loose = sys.modules["loose"] = ModuleType("loose")  # as in another script of the same name
    with pytest.raises(ConfigError, match="module 'loose' has no attribute 'Own'"):
        gs.Run.load(tmp_path / "run")
    assert gs.Run.load(tmp_path / "run", model=own).members == 1 and not hasattr(loose, "Own")


def test_checks_of_a_class_that_is_derived_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["from dataclasses import dataclass", "import graphstill as gs"]
    for head in ("class Mine(gs.KD): pass", "class Wide(gs.models.GCN): pass"):
        lines += ["@dataclass(frozen=True)", head]
    (tmp_path / "derived.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="derived:Mine: temperature is -1"):
        make_method({"name": "derived:Mine", "temperature": -1.0})
    with pytest.raises(ConfigError, match="hidden=0 in Wide"):
        make_model("derived:Wide", hidden=0)
    assert make_model("derived:Wide").name == "derived:Wide" and make_model("gcn").name == "gcn"


def test_show_places(graphstill: Call) -> None:
    assert graphstill("show", "loose:Flat", "--json").json["kind"] == "method"
    assert graphstill("show", "loose:Own", "--json").json["training"] == {"lr": 0.02}
    few = graphstill("show", "loose:few", "--json").json
    assert few["kind"] == "dataset" and [option["name"] for option in few["options"]] == ["train", "seed"]
    assert few["doc"] == "Digits, few of them labelled."


def test_entry_points_of_the_other_kinds(graphstill: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugged.named(tmp_path / "site", "one", "datasets", few="loose:few", odd="loose:unsaid")
    plugged.named(tmp_path / "site", "two", "models", own="loose:Own", broken="loose:nothing")
    monkeypatch.syspath_prepend(tmp_path / "site")
    recipe = parse_recipe(LOOSE.replace('"loose:few"', "few").replace('"loose:Own"', "own"))
    assert recipe.task["name"] == "few" and recipe.student == {"name": "own", "hidden": 4}
    data = {row["name"]: row["summary"] for row in graphstill("list", "datasets", "--json").json["datasets"]}
    assert data["few"] == "Digits, few of them labelled." and "does not say what it returns" in data["odd"]
    models = {row["name"]: row for row in graphstill("list", "models", "--json").json["models"]}
    assert models["own"]["class"] == "Own" and "AttributeError" in models["broken"]["summary"]
    assert graphstill("show", "own").code == 0 and graphstill("show", "broken").code == 2
    with pytest.raises(ConfigError, match="did you mean 'own'"):
        parse_recipe(LOOSE.replace('"loose:Own"', "owm"))


def test_two_packages_with_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, value in (("one", "loose:Flat"), ("two", "graphstill_sure.sure:Sure")):
        plugged.named(tmp_path, package, "methods", same=value)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ConfigError,
        match="2 packages bring a method called 'same', one and two: uninstall one",
    ):
        find_method("same")
    assert find_method("loose:Flat") is find_method("loose:Flat")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere:Mine", "ModuleNotFoundError: No module named 'nowhere'"),
        ("loose:Absent", "AttributeError: module 'loose' has no attribute 'Absent'"),
        ("loose:number", "is 3: name a class that derives from Method"),
        ("loose:Own", "name a class that derives from Method"),
        ("loose:Thawed", "is no frozen dataclass"),
        ("loose:Unfinished", "lacks loss: define it in loose.Unfinished"),
        ("loose.py:Flat()", "unknown method"),
    ],
)
def test_no_method(name: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_method(name)
    assert problem in str(caught.value)
    with pytest.raises(ConfigError, match="line 5") as caught:
        parse_recipe(LOOSE.replace("loose:Flat", name).replace(", power: 3.0", ""))
    assert problem in str(caught.value)


def test_what_fails_while_it_is_imported_is_the_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bad.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="ZeroDivisionError: division by zero") as caught:
        find_model("bad:Net")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(
    ("name", "kind", "problem"),
    [
        ("loose:unsaid", ConfigError, "annotate loose.unsaid with one of NodeTask, GraphTask, ImageTask"),
        ("loose:Own", ConfigError, "name a function that returns a task"),
        ("loose:other", DataError, "is a int, but says that it is NodeTask"),
        ("loose:broken", DataError, "could not be loaded .KeyError: 'nothing'"),
    ],
)
def test_no_data_set(name: str, kind: type[Exception], problem: str) -> None:
    with pytest.raises(kind, match=problem):
        gs.datasets.loader(name)(name)


def test_an_option_that_it_has_not() -> None:
    with pytest.raises(ConfigError, match="unknown key 'trian' in task: recipe, line 3; did you mean 'train'"):
        parse_recipe(LOOSE.replace("train: 3", "trian: 3"))


@pytest.mark.parametrize(
    "given", ["student.name={a: {b: 1}}", "method.name=[kd]", "teacher.model.name=[1]", "task.name={a: 1}"]
)
def test_a_name_that_is_no_text(given: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        read_recipe("kd-digits", [given])
