"""Each method says, as data, where it comes from and what a search of it may vary."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from graphstill.method import METHODS, Reference, make_method
from graphstill.methods import CLASSES

PAGES = Path(__file__).parents[2] / "docs" / "methods"


def flat(text: str | None) -> str:
    return " ".join((text or "").split())


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_has_both(name: str) -> None:
    cls = METHODS[name]
    assert {"reference", "space"} <= set(vars(cls)), "not inherited: each says it for itself"
    assert bool(cls.reference) == (name != "independent"), "the control alone is of no paper"
    assert bool(cls.space) == bool(dataclasses.fields(cls)), "a method with options has something to search"
    for paper in cls.reference:
        assert paper.authors and paper.title and 2000 < paper.year < 2100
        assert paper.link is None or re.match(r"https://(doi\.org/10\.|arxiv\.org/abs/\d)", paper.link)
        assert paper.code is None or re.fullmatch(r"[\w.-]+/[\w.-]+", paper.code)
        assert paper.commit is None or (paper.code and re.fullmatch(r"[0-9a-f]{7,40}", paper.commit))
        assert paper.title in flat(cls.__doc__) and paper.where in flat(cls.__doc__), "the docstring names it too"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_value_of_a_space_is_one_that_the_method_takes(name: str) -> None:
    for option, values in METHODS[name].space.items():
        assert len(values) == len(set(values)) > 1
        for value in values:
            make_method({"name": name, option: value})


def test_methods_of_one_paper_share_its_reference() -> None:
    papers: dict[str, Reference] = {}
    for cls in CLASSES.values():
        for paper in cls.reference:
            assert papers.setdefault(paper.key, paper) is paper, "written once, and no two keys are alike"


def test_a_reference_as_text_and_as_bibtex() -> None:
    paper = Reference(("Guo", "Müller", "others"), "On: Peers", "Neural Something Letters", 2021, journal=True)
    assert str(paper) == "Guo, Müller et al.: On: Peers, Neural Something Letters, 2021"
    assert paper.bibtex().splitlines() == [
        "@article{guo2021peers,",
        "  author = {Guo and Müller and others},",
        "  title = {{On: Peers}},",
        "  journal = {Neural Something Letters},",
        "  year = {2021},",
        "}",
    ]
    read = Reference(("Ünal",), "Deep Things", "CVPR", 2020, "https://doi.org/10.1/2", "who/what", "0123abc")
    assert str(read) == "Ünal: Deep Things, CVPR 2020" and read.key == "unal2020deep"
    assert "  booktitle = {CVPR}," in read.bibtex() and "who/what/tree/0123abc" in read.bibtex()
    assert Reference(("A",), "Some Preprint", None, 2015).bibtex().startswith("@misc{a2015some,")
