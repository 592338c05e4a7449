"""Where to start with a method, by whichever of its names, and whom to cite."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools import measured

from graphstill.methods import METHODS
from graphstill.study.catalogue import describe
from graphstill.study.starting import FILE

Call = Callable[..., Any]
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def test_what_show_says_is_what_the_raw_results_give() -> None:
    assert FILE.read_text(encoding="utf-8") == measured.text(), "run `make tables`"
    raw = json.loads((RESULTS / "rkd-cora.json").read_text())
    (row,) = [row for row in describe("rkd")["start"]["gained"] if row["study"] is None]
    assert row["difference"] == pytest.approx(raw["comparison"]["mean"]["difference"])
    seconds = [raw[part]["cost"]["cpu_seconds"] / raw[part]["cost"]["epochs"] for part in ("student", "baseline")]
    assert row["cost"] == pytest.approx(seconds[0] / seconds[1], abs=0.01)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_line_to_run_is_one_that_the_command_takes(graphstill: Call, name: str) -> None:
    start = graphstill("show", f"methods/{name}", "--json").json["start"]
    words = shlex.split(start["run"])
    assert words[0] == "graphstill"
    recipe = graphstill(*words[1:], "--dry-run", "--json").json["recipe"]
    terms = recipe["method"] if isinstance(recipe["method"], list) else [recipe["method"]]
    assert [(term["name"], term.get("weight", 1.0)) for term in terms] == [(name, start["weight"])]
    assert start["cost"]["passes"]
    # Whole graphs where the method needs them: on nodes the line would be refused as soon as the data are there.
    assert not METHODS[name].needs.graphs or recipe["task"]["name"] == "tu-ENZYMES"


def test_show_says_where_to_start(graphstill: Call) -> None:
    text = graphstill("show", "lsp").out
    for line in (
        "method lsp (in Python: LSP)",
        "Paper: Yang, Qiu, Song, Tao, Wang: Distilling Knowledge from Graph Convolutional Networks, CVPR 2020",
        "  code that was read: https://github.com/ihollywhy/DistillGCN.PyTorch at 0c4c9b8",
        "  weight: 10.0, 30.0, 100.0",
        "Start with: weight 30",
        "Run it: graphstill distill recipes/lsp-cora.yaml",
        "  +0.48 [-0.07, +1.03] p=0.962  lsp-cora: gcn-64 (92,231), weight 30",
    ):
        assert line in text.splitlines()
    assert "times the processor time of the undistilled student's (lsp-cora)" in text
    many = graphstill("show", "kd")
    assert "more with --json" in many.out
    assert "Gained: nothing measured so far" in graphstill("show", "independent").out


def test_a_name_and_its_class_are_one_thing(graphstill: Call) -> None:
    for one, other in (
        ("sage", "GraphSAGE"),
        ("kd", "KD"),
        ("alignahead++", "AlignaheadPlus"),
        ("models/rod", "models/ROD"),
    ):
        assert graphstill("show", one, "--json").json == graphstill("show", other, "--json").json
    assert graphstill("show", "GraphSAGE").out.startswith("model sage (in Python: GraphSAGE)")
    assert {row["name"]: row["class"] for row in graphstill("list", "models", "--json").json["models"]}[
        "sage"
    ] == "GraphSAGE"


def test_cite(graphstill: Call) -> None:
    assert graphstill("cite", "RKD").out.startswith("@inproceedings{park2019relational,\n  author = {Park and Kim")
    found = graphstill("cite", "at", "gsp", "--json").json["references"]
    assert [paper["key"] for paper in found] == ["zagoruyko2017paying", "joshi2022representation"], "each paper once"
    assert found[1]["authors"] == ["Joshi", "Liu", "Xun", "Lin", "Foo"] and found[1]["year"] == 2022
    assert all(paper["bibtex"].startswith("@") for paper in found)
    unknown, control = graphstill("cite", "rkdd"), graphstill("cite", "independent")
    assert (unknown.code, "did you mean 'rkd'" in unknown.err) == (2, True)
    assert (control.code, "a control, of no paper" in control.err) == (2, True)
