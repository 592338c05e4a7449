"""python -m tools.methods: the methods' tables, the papers on their pages, and CITATION.cff, from what each class says.

In README.md the methods by what they learn from; in docs/methods/index.md one row each; on each page the paper and the
code that was read. Nothing of this is typed by hand: `reference`, `needs` and the docstring are the source.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import yaml

from graphstill.files import atomic_write_text
from graphstill.method import METHODS, Method, Reference
from graphstill.methods import CLASSES
from graphstill.report.pages import MARKER
from graphstill.report.tables import markdown, replaced

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "methods"
FAMILIES = (
    "a teacher's outputs",
    "a teacher's hidden features",
    "peers, without a teacher",
    "itself",
    "nobody: the control",
)
CITATION = "# The papers of the methods, from their classes, by `make tables`:\n"


def family(method: type[Method]) -> str:
    """What the students of a method learn from."""
    if method.needs.teacher:
        return FAMILIES[1 if method.needs.teacher_hidden else 0]
    return FAMILIES[2] if method.needs.peers else FAMILIES[3] if method.reference else FAMILIES[4]


def page_of(method: type[Method]) -> str:
    """Name of the page that holds the method's studies; the control's page has none."""
    for page in sorted(PAGES.glob("*.md")):
        if f"studies {method.name}" in MARKER.findall(page.read_text(encoding="utf-8")):
            return page.name
    return f"{method.name}.md"


def families() -> str:
    """Methods by what they learn from, each with its page and where it was published."""
    named: dict[str, list[str]] = {name: [] for name in FAMILIES}
    for called, method in sorted(CLASSES.items(), key=lambda item: item[0].lower()):
        where = f" ({method.reference[0].where})" if method.reference else ""
        named[family(method)].append(f"[{called}](docs/methods/{page_of(method)}){where}")
    return "\n".join(markdown(["learns from", "methods"], ([name, ", ".join(cells)] for name, cells in named.items())))


def table() -> str:
    """One row a method."""
    ordered = sorted(CLASSES.items(), key=lambda item: (FAMILIES.index(family(item[1])), item[0].lower()))
    rows = (
        (
            f"[{called}]({page_of(method)})",
            f"`{method.name}`",
            family(method),
            (inspect.getdoc(method) or "").partition("\n")[0],
            "; ".join(_short(paper) for paper in method.reference) or "–",
        )
        for called, method in ordered
    )
    return "\n".join(markdown(["class", "in a recipe", "learns from", "what happens", "paper"], rows))


def _short(paper: Reference) -> str:
    names = [name for name in paper.authors if name != "others"]
    who = ", ".join(names) if len(names) == len(paper.authors) <= 2 else f"{names[0]} et al."
    return _linked(f"{who}, {paper.where}", paper.link)


def _linked(text: str, address: str | None) -> str:
    return text if address is None else f"[{text}]({address})"


def papers(method: type[Method]) -> str:
    """The papers of a method, for its page."""
    lines = []
    for paper in method.reference:
        line = f"{paper.who}: {_linked(f'*{paper.title}*', paper.link)}, {paper.where}."
        if paper.repository is not None:
            line += f" Code that was read: {_linked(str(paper.code), paper.repository)}."
        lines.append(line)
    return "\n\n".join(lines)


def citation(text: str) -> str:
    """CITATION.cff with the papers at its end."""
    found = {paper.key: _entry(paper) for _, cls in sorted(METHODS.items()) for paper in cls.reference}
    entries = yaml.safe_dump({"references": list(found.values())}, sort_keys=False, allow_unicode=True, width=120)
    return text.partition(CITATION)[0] + CITATION + entries


def _entry(paper: Reference) -> dict[str, Any]:
    kind = "article" if paper.journal else "conference-paper" if paper.venue else "generic"
    fields: dict[str, Any] = {
        "type": kind,
        "title": paper.title,
        "authors": [{"name": "et al."} if name == "others" else {"family-names": name} for name in paper.authors],
        "journal" if paper.journal else "collection-title": paper.venue,
        "year": paper.year,
        "url": paper.link,
        "repository-code": paper.repository,
    }
    return {key: value for key, value in fields.items() if value is not None}


def files() -> dict[Path, str]:
    """Every file that this makes, with its text as it should be."""
    found = {
        ROOT / "README.md": ("methods", families()),
        PAGES / "index.md": ("methods", table()),
    }
    texts = {
        path: replaced(path.read_text(encoding="utf-8"), made, str(path), key) for path, (key, made) in found.items()
    }
    for method in METHODS.values():
        path = PAGES / page_of(method)
        old = texts.get(path, path.read_text(encoding="utf-8"))
        if method.reference and f"reference {method.name} " in old:  # two methods of one paper share a page
            texts[path] = replaced(old, papers(method), str(path), f"reference {method.name}")
    cff = ROOT / "CITATION.cff"
    return {**texts, cff: citation(cff.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    for changed, text in files().items():
        atomic_write_text(changed, text)
