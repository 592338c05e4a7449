"""What `make tables` makes of the methods' classes and of the raw results is what is committed."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import yaml
from tools import gains, methods

from graphstill.methods import CLASSES, METHODS
from graphstill.report.reading import read_results
from graphstill.report.studies import study_tables


def test_the_methods_tables_pages_and_citations_are_current() -> None:
    stale = [str(path) for path, text in methods.files().items() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run `make tables`"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_is_in_both_tables_and_its_page_names_its_papers(name: str) -> None:
    cls = METHODS[name]
    page = methods.PAGES / methods.page_of(cls)
    text = page.read_text(encoding="utf-8")
    assert f"[{cls.__name__}](docs/methods/{page.name})" in (methods.ROOT / "README.md").read_text(encoding="utf-8")
    assert f"[{cls.__name__}]({page.name}) | `{name}`" in (methods.PAGES / "index.md").read_text(encoding="utf-8")
    assert all(paper.title in text and paper.where in text for paper in cls.reference)


def test_every_paper_can_be_cited_from_the_citation_file() -> None:
    found = yaml.safe_load((methods.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    titles = [entry["title"] for entry in found["references"]]
    assert sorted(titles) == sorted({paper.title for cls in CLASSES.values() for paper in cls.reference})
    assert all(entry["authors"] and entry["year"] for entry in found["references"])


def test_the_plot_is_current_and_shows_the_figures_of_the_tables() -> None:
    text = gains.FILE.read_text(encoding="utf-8")
    assert text == gains.figure(), "run `make tables`"
    shown = [title.text or "" for title in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}title")]
    table = "".join(study_tables(read_results(gains.STUDIES / study)) for study in gains.PANELS)
    assert len(shown) == sum(len(gains.rows(study)) for study in gains.PANELS) > 20
    assert all(line.partition(": ")[2] in table for line in shown)


def test_what_the_plot_calls_a_claim_is_what_the_study_calls_one() -> None:
    overview = study_tables(read_results(gains.STUDIES / "citation")).split("####")[0]
    cells = [[cell.strip() for cell in line.split("|")] for line in overview.splitlines()[2:] if line]
    starred = {method for _, method, cora, *_ in cells if "*" in cora}
    assert {name for name, *_, claimed in gains.rows("citation") if claimed} == starred
