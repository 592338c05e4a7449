"""Tables come from files alone, and the README's is the one that the committed results give."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphstill.errors import ConfigError, DataError
from graphstill.report.pages import MARKER, method_table, read_studies, update_pages
from graphstill.report.reading import read_results
from graphstill.report.studies import read_published, study_tables
from graphstill.report.tables import (
    BEGIN,
    END,
    KEYED_BEGIN,
    KEYED_END,
    replaced,
    results_rows,
    results_table,
    update,
)
from graphstill.study.statistics import paired

ROOT = Path(__file__).parents[2]
SEEDS = list(range(6))
ALONE = [0.80, 0.81, 0.79, 0.80, 0.82, 0.80]


def comparison(name: str, gain: list[float], peers: int = 1) -> dict[str, object]:
    """What `graphstill distill` writes, as far as a table reads it."""
    ours = [a + g for a, g in zip(ALONE, gain, strict=True)]

    def part(values: list[float]) -> dict[str, object]:
        return {"models": [{"name": "gcn", "hidden": 16}], "parameters": 23063, "test": {"mean": values}}

    return {
        "name": name,
        "metric": "accuracy",
        "protocol": {"dataset": "cora", "split": "public", "setting": "transductive"},
        "seeds": SEEDS,
        "peers": peers,
        "recipe": {"method": [{"name": "kd", "weight": 1.0}, {"name": "lsp", "weight": 100.0}]},
        "teacher": None,
        "baseline": part(ALONE),
        "student": part(ours),
        "comparison": {"mean": paired(ours, ALONE).as_dict()},
    }


GOOD = comparison("b-good", [0.010, 0.012, 0.014, 0.010, 0.011, 0.013])
NONE = comparison("a-none", [0.01, -0.01, 0.02, -0.02, 0.005, -0.004], peers=4)


def test_a_row_says_what_was_compared() -> None:
    (row,) = results_rows([GOOD])
    assert row == {
        "recipe": "b-good",
        "data": "cora, public, transductive",
        "student": "gcn-16 (23,063)",
        "method": "kd + 100 lsp",
        "teacher": "–",
        "alone": "80.33 ± 1.03",
        "distilled": "81.50 ± 0.98",
        "difference [95 % interval]": "+1.17 [+1.00, +1.34]",
        "p (Holm)": "<0.001",
    }
    assert results_rows([NONE])[0]["student"].endswith(" x 4")


def test_p_values_are_corrected_over_the_table() -> None:
    alone = results_rows([NONE])[0]["p (Holm)"]
    twice = [row["p (Holm)"] for row in results_rows([NONE, NONE])]
    assert twice == [f"{min(1, 2 * paired(NONE['student']['test']['mean'], ALONE).p):.3f}"] * 2  # type: ignore[index]
    assert twice[0] != alone


def test_results_are_found_wherever_a_run_leaves_them(tmp_path: Path) -> None:
    (tmp_path / "run-1").mkdir()
    (tmp_path / "run-1" / "comparison.json").write_text(json.dumps(GOOD))
    (tmp_path / "lines.jsonl").write_text(json.dumps(NONE) + "\n\n")
    (tmp_path / "speed.json").write_text(json.dumps([{"seconds": 1}]))
    assert [result["name"] for result in read_results(tmp_path)] == ["a-none", "b-good"]
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match=r"not JSON.*broken\.json"):
        read_results(tmp_path)
    with pytest.raises(DataError, match="no result"):
        read_results(tmp_path / "nowhere")


def test_update_replaces_what_is_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    table = results_table([GOOD, NONE])
    assert update(file, table)
    assert not update(file, table)
    assert file.read_text() == f"before\n{BEGIN}\n{table}\n{END}\nafter\n"
    for text in ("no markers", f"{BEGIN} only", f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"):
        with pytest.raises(ConfigError, match="not one pair of markers"):
            replaced(text, table)


@pytest.mark.parametrize("page", ["README.md", "docs/results.md"])
def test_pages_hold_the_committed_results_and_no_other_number(page: str) -> None:
    """Each row shown is the generated one, its p corrected for all committed rows; the full page shows all."""
    shown = (ROOT / page).read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()
    names = [line.split("|")[1].strip() for line in shown.splitlines() if line.startswith("| ")][1:]
    results = read_results(ROOT / "benchmarks" / "results")
    assert shown == results_table(results, names), "run `make tables`"
    assert page == "README.md" or names == [result["name"] for result in results]


@pytest.mark.parametrize(
    "folder", sorted((ROOT / "benchmarks" / "results" / "studies").iterdir()), ids=lambda p: p.name
)
def test_the_page_holds_the_studies(folder: Path) -> None:
    begin, end = KEYED_BEGIN.format(folder.name), KEYED_END.format(folder.name)
    shown = (ROOT / "docs" / "results.md").read_text(encoding="utf-8").split(begin)[1].split(end)[0].strip()
    published = read_published(ROOT / "benchmarks" / "published.yaml")
    assert shown == study_tables(read_results(folder), published), "run `make tables`"
    assert (ROOT / "recipes" / "grids" / f"{folder.name}.yaml").is_file(), "each study can be run again"


def test_every_method_has_a_page_that_holds_what_the_studies_say(tmp_path: Path) -> None:
    from graphstill.methods import METHODS

    pages = list((ROOT / "docs" / "methods").glob("*.md"))
    shown = [key.split()[1] for page in pages for key in MARKER.findall(page.read_text(encoding="utf-8"))]
    assert sorted(shown) == sorted(set(METHODS) - {"independent"})
    for page in pages:
        (tmp_path / page.name).write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    assert update_pages(tmp_path, read_studies(ROOT / "benchmarks" / "results" / "studies")) == [], "run `make tables`"


def test_a_page_lists_the_cells_in_which_the_method_stood_alone() -> None:
    good = {**GOOD, "name": "kd-hot-cora", "task": "cora", "recipe": {"method": [{"name": "kd", "weight": 1.0}]}}
    both = {**GOOD, "name": "kd+lsp-cora", "task": "cora"}
    text = method_table("kd", {"one": [good, both], "two": [both]})
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| one | cora (kd-hot) | gcn-16 (23,063) | 80.33 ± 1.03 | 81.50 ± 0.98 | +1.17 [+1.00, +1.34] | <0.001 |"
    ]
    assert method_table("lsp", {"two": [both]}) == "In no study so far."


def test_a_row_that_does_not_exist_cannot_be_shown() -> None:
    results = read_results(ROOT / "benchmarks" / "results")
    with pytest.raises(ConfigError, match=r"no result of a recipe 'kd-corra'.*did you mean 'kd-cora'"):
        results_table(results, ["kd-corra"])


def test_a_study_is_a_table_for_each_task_with_what_papers_say_beside_it(tmp_path: Path) -> None:
    cells = [
        {**comparison("kd-cora", [0.001, 0.002, 0.0, 0.001, 0.002, 0.001]), "task": "cora"},
        {**comparison("gkd+kd-cora", [0.02, 0.03, 0.02, 0.03, 0.02, 0.03]), "task": "cora"},
        {**comparison("kd-thin", [0.01, 0.02, 0.01, 0.02, 0.01, 0.02]), "task": "thin"},
    ]
    entry = {"method": "kd", "task": "cora", "figure": "83.2", "source": "a table", "why": "Another teacher."}
    unseen = {**entry, "setting": "inductive", "figure": "80.1"}
    other = {**entry, "setting": "transductive", "student": "gat", "figure": "80.1"}
    text = study_tables(cells, [{**entry, "setting": "transductive", "student": "gcn"}, unseen, other])
    assert "80.1" not in text
    overview, cora = text.split("#### cora")
    assert overview.splitlines()[2:4] == ["| kd | 80.45 (+0.12*) | 81.83 (+1.50*) |", "| gkd+kd | 82.83 (+2.50*) |  |"]
    cora, thin = cora.split("#### thin")
    rows = [line for line in cora.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0] for row in rows] == ["| gkd+kd", "| kd"], "by falling gain"
    assert [row.split(" | ")[-1] for row in rows] == ["none found |", "83.2 |"]
    assert "- kd: published 83.2 (a table). Another teacher." in cora and "a table" not in thin
    alone = study_tables(cells[2:])
    assert thin.strip() in alone, "p is corrected over the methods of one task"

    path = tmp_path / "published.yaml"
    path.write_text("- {method: kd, task: cora, figure: 83.2}")
    with pytest.raises(ConfigError, match=r"entry 1 of .*give exactly figure, method, source, task, why"):
        read_published(path)


def test_committed_figures_of_papers_name_what_there_is() -> None:
    from graphstill.methods import METHODS

    for entry in read_published(ROOT / "benchmarks" / "published.yaml"):
        assert all(part in METHODS for part in entry["method"].split("+")), entry


def test_markers_with_a_key() -> None:
    text = "<!-- results:begin a -->\nold\n<!-- results:end a -->\n<!-- results:begin b -->\n<!-- results:end b -->\n"
    assert "old" not in replaced(text, "new", key="a")
    assert replaced(text, "new", key="b").count("old") == 1
    with pytest.raises(ConfigError, match="results:begin c"):
        replaced(text, "new", key="c")
