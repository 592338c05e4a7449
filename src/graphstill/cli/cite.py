"""graphstill cite NAME"""

from __future__ import annotations

from typing import Annotated

import typer

from graphstill.cli.output import Debug, Json, emit

NAME = "cite"


def command(
    names: Annotated[list[str], typer.Argument(metavar="NAME ...", help="Methods, by name or class.")],
    json: Json = False,
    debug: Debug = False,  # noqa: ARG001 - read by cli.app
) -> None:
    """Print the BibTeX entries of the papers of methods; one entry a paper."""
    from graphstill.study.catalogue import papers

    found = {paper.key: paper for name in names for paper in papers(name)}
    references = [{**paper.as_dict(), "bibtex": paper.bibtex()} for paper in found.values()]
    emit({"references": references}, json, lambda: "\n\n".join(paper.bibtex() for paper in found.values()))
