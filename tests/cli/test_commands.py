"""Every verb: what it prints for people, the one object it prints for programs, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from graphstill.cli.app import exit_code, run
from graphstill.errors import CheckpointError, ConfigError, DataError, MethodError, SealError
from graphstill.methods import METHODS
from graphstill.nn import MODELS
from tests.data.images.tiny import arrays, files, write_folder

Call = Callable[..., "object"]


def test_help_and_version_load_no_torch() -> None:
    code = (
        "import sys\nfrom graphstill.cli.app import run\n"
        "for words in (['--help'], ['--version'], ['distill', '--help'], ['demo', '--help']):\n"
        "    assert run(words) == 0\n"
        "heavy = {'torch', 'torch_geometric', 'sklearn', 'scipy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verbs = [
        "demo",
        "doctor",
        "list",
        "show",
        "cite",
        "train",
        "distill",
        "study",
        "report",
        "export",
        "verify",
        "bench",
        "serve",
    ]
    for verb in (*verbs, "Exit codes"):
        assert verb in done.stdout


@pytest.mark.parametrize(
    ("what", "names"), [("methods", METHODS), ("models", MODELS), ("datasets", {"digits", "cora"})]
)
def test_list(graphstill: Call, what: str, names: dict[str, type]) -> None:
    rows = graphstill("list", what, "--json").json[what]
    assert set(names) <= {row["name"] for row in rows}
    assert all(row["summary"] for row in rows)
    text = graphstill("list", what)
    assert text.code == 0
    assert all(name in text.out for name in names)


def test_show_everything_that_is_listed(graphstill: Call) -> None:
    for kind in ("methods", "models", "datasets"):
        for row in graphstill("list", kind, "--json").json[kind]:
            found = graphstill("show", f"{kind}/{row['name']}", "--json").json
            assert found["name"] == row["name"]
            assert found["doc"].startswith(row["summary"])
    text = graphstill("show", "kd").out
    assert "temperature: float = 1.0" in text
    assert "Needs: teacher" in text
    assert "preset: released" in graphstill("show", "lsp").out
    assert "lr: 0.01" in graphstill("show", "gcn").out


def test_show_a_recipe(graphstill: Call, recipe: str) -> None:
    assert graphstill("show", recipe, "--json").json["recipe"]["student"]["layers"] == 2
    assert yaml.safe_load(graphstill("show", recipe).out)["name"] == "kd-digits"


def test_distill(graphstill: Call, recipe: str, tmp_path: Path) -> None:
    dry = graphstill("distill", recipe, "training.lr=5e-3", "--dry-run")
    assert yaml.safe_load(dry.out)["training"]["lr"] == 5e-3
    assert not (tmp_path / "runs").exists()

    found = graphstill("distill", recipe, "seeds=[4, 2]", "--json").json
    assert found["directory"] == "runs/kd-digits-1"
    assert (
        found["seeds"] == found["student"]["seeds"] == found["baseline"]["seeds"] == found["teacher"]["seeds"] == [4, 2]
    )
    assert found["teacher"]["parameters"] > found["student"]["parameters"] == found["baseline"]["parameters"]
    mean = found["comparison"]["mean"]
    pairs = zip(found["student"]["test"]["mean"], found["baseline"]["test"]["mean"], strict=True)
    assert mean["differences"] == pytest.approx([ours - theirs for ours, theirs in pairs])
    assert mean["p"] is None  # two seeds
    written = json.loads((tmp_path / "runs/kd-digits-1/comparison.json").read_text())
    assert {**written, "directory": found["directory"]} == found
    assert yaml.safe_load((tmp_path / "runs/kd-digits-1/recipe.yaml").read_text()) == found["recipe"]

    again = graphstill("distill", recipe, "--dir", "runs/kd-digits-1")
    assert (again.code, "--resume" in again.err) == (1, True)
    other = graphstill("distill", recipe, "--dir", "runs/kd-digits-1", "--resume")
    assert (other.code, "differ in teacher.seeds, seeds" in other.err) == (1, True)
    before = (tmp_path / "runs/kd-digits-1/student/weights.safetensors").stat().st_mtime_ns
    resumed = graphstill("distill", recipe, "seeds=[4, 2]", "--dir", "runs/kd-digits-1", "--resume")
    assert "no claim below 5" in resumed.out
    assert (tmp_path / "runs/kd-digits-1/student/weights.safetensors").stat().st_mtime_ns == before


def test_a_trained_run_teaches(graphstill: Call, recipe: str, tmp_path: Path) -> None:
    made = graphstill(
        "train", "gcn", "digits", "model.hidden=16", "training.epochs=5", "seeds=2", "--dir", "t", "--json"
    )
    assert made.json["test"]["mean"]
    assert (tmp_path / "t" / "weights.safetensors").exists()
    found = graphstill("distill", recipe, "teacher={run: t}", "baseline=false", "--json").json
    assert found["teacher"]["test"] == made.json["test"]
    assert found["baseline"] is None
    assert found["comparison"] == {}


def test_a_group_is_compared_with_the_independent_group(graphstill: Call, tmp_path: Path) -> None:
    (tmp_path / "group.yaml").write_text(
        "name: group\ntask: digits\nstudent: {name: gcn, hidden: 4}\npeers: 2\nmethod: oad\n"
        "training: {epochs: 3}\nseeds: 2\n"
    )
    found = graphstill("distill", "group.yaml", "--json").json
    assert set(found["comparison"]) == {"mean", "best_val", "ensemble"}
    assert found["baseline"]["peers"] == 2
    assert len(found["baseline"]["test"]["members"]) == 4
    table = graphstill("report", "runs", "--json").json
    assert table["rows"][0]["student"].endswith("x 2")


def test_report_updates_a_file(graphstill: Call, recipe: str, tmp_path: Path) -> None:
    (tmp_path / "R.md").write_text("# R\n<!-- results:begin -->\n<!-- results:end -->\n")
    graphstill("distill", recipe)
    assert graphstill("report", "runs", "--update", "R.md", "--json").json["changed"]
    assert not graphstill("report", "runs", "--update", "R.md", "--json").json["changed"]
    assert graphstill("report", "runs").out.strip() in (tmp_path / "R.md").read_text()


def test_demo(graphstill: Call) -> None:
    found = graphstill("demo", "--seeds", "2", "--epochs", "3", "--json").json
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["student, KD"]["comparison"]["baseline"] == "student alone"
    assert rows["group of 4, OAD"]["comparison"]["baseline"] == "group of 4, independent"
    assert len(rows["group of 4, OAD"]["test"]["members"]) == 8
    assert rows["teacher"]["parameters"] > rows["student alone"]["parameters"]
    text = graphstill("demo", "--seeds", "1", "--epochs", "2").out
    assert "no claim" in text
    assert "transductive" in text


def test_the_device_is_an_option(
    graphstill: Call, recipe: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GRAPHSTILL_DEVICE", "cpu")  # set back afterwards, whatever the command sets
    refused = graphstill("distill", recipe, "--device", "abacus", "--dir", str(tmp_path / "run"))
    assert refused.code == 2 and "no device 'abacus'" in refused.err
    found = graphstill("distill", recipe, "--device", "auto", "--dir", str(tmp_path / "auto"), "--json").json
    assert found["student"]["test"]["mean"]


def test_doctor(graphstill: Call, tmp_path: Path) -> None:
    well = graphstill("doctor", "--json")
    assert (well.code, well.json["ok"]) == (0, True)
    assert {"python", "torch", "data", "disk", "self test"} <= {finding["name"] for finding in well.json["findings"]}
    ill = graphstill("doctor", "--root", str(tmp_path / "nowhere"))
    assert ill.code == 1
    assert "no such folder" in ill.out
    empty = graphstill("doctor", "--root", str(tmp_path), "--json")
    assert (empty.code, empty.json["ok"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["distill", "none.yaml"], 2, "no such file: none.yaml"),
        (["distill", "recipe.yaml", "training.epoch=3"], 2, "did you mean 'epochs'"),
        (["distill", "recipe.yaml", "method=oad"], 2, "needs peers"),
        (["distill", "recipe.yaml", "--resume"], 2, "Say which run"),
        (["distill"], 2, "Missing argument"),
        (["distil"], 2, "No such command"),
        (["list", "method"], 2, "method"),
        (["show", "kdd"], 2, "did you mean 'kd'"),
        (["train", "gcn", "digits", "seeds=0"], 2, "seeds is 0"),
        (["train", "gcn", "no-such-data"], 3, "no-such-data"),
        (["demo", "--dataset", "twitch-multi"], 3, "cannot be downloaded"),
        (["report", "."], 3, "no result"),
        (["distill", "recipe.yaml", "teacher={run: nowhere}"], 1, "nowhere holds no run"),
        (["distill", "recipe.yaml", "--dir", "recipe.yaml"], 1, "not a directory"),
    ],
)
@pytest.mark.usefixtures("recipe")
def test_errors(graphstill: Call, arguments: list[str], code: int, message: str) -> None:
    plain = graphstill(*arguments)
    assert (plain.code, plain.out) == (code, "")
    assert message in plain.err
    assert "Traceback" not in plain.err
    found = graphstill(*arguments, "--json")
    assert found.code == found.json["exit_code"] == code
    assert message in found.json["error"]["message"]


def test_debug_shows_the_traceback(graphstill: Call) -> None:
    assert "Traceback" in graphstill("show", "kdd", "--debug").err


def test_a_bug_is_shown_in_full(graphstill: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphstill.study.catalogue.describe", lambda _: 1 / 0)
    found = graphstill("show", "kd")
    assert found.code == 1
    assert "Traceback" in found.err
    assert "division by zero" in found.err


def test_codes_of_errors() -> None:
    assert [exit_code(kind("x")) for kind in (CheckpointError, SealError, OSError)] == [1, 1, 1]
    assert [exit_code(kind("x")) for kind in (ConfigError, MethodError)] == [2, 2]
    assert exit_code(DataError("x")) == 3


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f"{sys.executable} -c 'from graphstill.cli import main; main()' list datasets --json | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_run_is_what_main_calls() -> None:
    assert run(["--version"]) == 0


def test_names_of_ones_own_images_are_known_from_the_root(graphstill: Call, tmp_path: Path) -> None:
    """A recipe is checked by what the name stands for: `batch_size` is an option of images, not of graphs."""
    write_folder(tmp_path / "data" / "images" / "insects", files(arrays(train=4, test=1)))
    arguments = ["train", "resnet", "insects", "task.batch_size=4", "task.val_per_class=1", "--dry-run"]
    unknown = graphstill(*arguments)
    assert unknown.code == 2 and "batch_size" in unknown.err
    known = graphstill(*arguments, "--root", str(tmp_path / "data"))
    assert known.code == 0 and "batch_size: 4" in known.out
