"""Results are found as deep as they lie, and methods are compared with each other as well as with the undistilled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphstill.errors import DataError
from graphstill.report.pairs import method_pairs, pairs_table
from graphstill.report.reading import read_results
from graphstill.report.tables import numbers, titles
from graphstill.study.statistics import holm, paired
from tests.study.test_tables import comparison

GAINS = {
    "kd": [0.010, 0.012, 0.014, 0.010, 0.011, 0.013],
    "lsp": [0.00, 0.01, 0.00, 0.01, 0.02, 0.00],
    "rkd": [0.011, 0.012, 0.015, 0.010, 0.013, 0.013],
}


def results() -> list[dict[str, Any]]:
    return [comparison(name, gain) for name, gain in GAINS.items()]


def test_each_pair_of_methods_is_compared_seed_by_seed_and_corrected_over_the_pairs() -> None:
    given = results()
    rows = method_pairs(given)
    assert [(row["first"], row["second"]) for row in rows] == [("rkd", "lsp"), ("kd", "lsp"), ("rkd", "kd")]
    figures = {str(one["name"]): one["student"]["test"]["mean"] for one in given}
    alone = [paired(figures[row["first"]], figures[row["second"]]) for row in rows]
    assert [row["difference"] for row in rows] == [one.difference for one in alone]
    assert [(row["low"], row["high"], row["p"]) for row in rows] == [(one.low, one.high, one.p) for one in alone]
    assert [row["p_holm"] for row in rows] == holm([one.p for one in alone]) != [one.p for one in alone]
    assert rows[2]["difference"] == pytest.approx(0.004 / 6) and rows[2]["seeds"] == 6
    line = pairs_table(rows).splitlines()[2]
    assert line.startswith("| cora, public, transductive | gcn-16 | rkd | lsp | +0.57 [")


def test_seeds_are_matched_by_their_numbers_not_by_their_places() -> None:
    one, other = results()[:2]
    turned = {**other, "seeds": other["seeds"][::-1]}
    turned["student"] = {**other["student"], "test": {"mean": other["student"]["test"]["mean"][::-1]}}
    assert method_pairs([one, turned]) == method_pairs([one, other])


def test_only_runs_of_one_task_student_and_list_of_seeds_are_compared() -> None:
    one, other = results()[:2]
    assert len(method_pairs([one, other])) == 1

    def student(**model: Any) -> dict[str, Any]:
        return {**other["student"], "models": [{**other["student"]["models"][0], **model}]}

    assert len(method_pairs([one, {**other, "student": student(dropout=0.7)}])) == 1, "a search may set it"
    for change in (
        {"student": student(hidden=32)},
        {"student": student(name="sage")},
        {"seeds": [1, 2, 3, 4, 5, 6]},
        {"protocol": {**other["protocol"], "dataset": "pubmed"}},
        {"data_hash": "another"},
        {"metric": "roc_auc"},
    ):
        assert method_pairs([one, {**other, **change}]) == [], change


def test_groups_are_corrected_apart() -> None:
    elsewhere = [{**one, "protocol": {**one["protocol"], "dataset": "pubmed"}} for one in results()[:2]]
    rows = method_pairs([*results(), *elsewhere])
    assert [row["data"].split(",")[0] for row in rows] == ["cora"] * 3 + ["pubmed"]
    assert rows[3]["p_holm"] == rows[3]["p"] == rows[1]["p"]


def test_results_are_found_below_and_the_cells_of_a_study_are_not(tmp_path: Path) -> None:
    def write(path: str, name: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(comparison(name, GAINS["kd"])))

    write("one/comparison.json", "kd")
    write("deep/er/two/comparison.json", "kd")
    write("study/results/lsp-cora.json", "lsp-cora")
    write("study/cells/lsp-cora/comparison.json", "lsp-cora")
    write(".hidden/comparison.json", "hidden")
    (tmp_path / "deep" / "loop").symlink_to(tmp_path)
    found = read_results(tmp_path)
    assert [one["place"] for one in found] == ["deep/er/two", "one", "study/lsp-cora"]
    assert titles(found) == ["kd (deep/er/two)", "kd (one)", "lsp-cora"]
    assert [row["place"] for row in numbers(found)] == ["deep/er/two", "one", "study/lsp-cora"]
    assert [one["name"] for one in read_results(tmp_path / "deep" / "er")] == ["kd"]
    assert [one["place"] for one in read_results(tmp_path / "one")] == ["."]
    with pytest.raises(DataError, match="no result"):
        read_results(tmp_path / "nowhere")


def test_a_folder_with_results_of_its_own_is_not_searched_deeper(tmp_path: Path) -> None:
    (tmp_path / "studies" / "a").mkdir(parents=True)
    (tmp_path / "kd.json").write_text(json.dumps(results()[0]))
    (tmp_path / "studies" / "a" / "lsp.json").write_text(json.dumps(results()[1]))
    assert [one["name"] for one in read_results(tmp_path)] == ["kd"]
    assert [one["name"] for one in read_results(tmp_path / "studies")] == ["lsp"]
