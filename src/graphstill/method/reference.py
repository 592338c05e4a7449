"""Where a method comes from, as data: its paper and the code that was read."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, dataclass
from typing import Any

#: Stands at the end of `authors` where the list is not known in full; BibTeX prints it as "et al.".
OTHERS = "others"


@dataclass(frozen=True)
class Reference:
    """A paper. What is not known for certain is None.

    Args:
        authors: family names, in the paper's order; the last is "others" where only the first are known.
        title: as printed.
        venue: conference or journal, short where it is known by that; None for a preprint.
        year: of publication.
        link: DOI or arXiv, as an address.
        code: repository on GitHub, owner/name, that `released` and the docstring's deviations speak of; where the
            authors released none, the one that others take for a reference.
        commit: at which it was read.
        journal: whether the venue is one.
    """

    authors: tuple[str, ...]
    title: str
    venue: str | None
    year: int
    link: str | None = None
    code: str | None = None
    commit: str | None = None
    journal: bool = False

    @property
    def who(self) -> str:
        """The authors as running text: "Park, Kim", or "Guo et al."."""
        if self.authors[-1] == OTHERS:
            return f"{', '.join(self.authors[:-1])} et al."
        return ", ".join(self.authors)

    @property
    def where(self) -> str:
        """Venue and year: "CVPR 2019", or with a comma behind a long name."""
        if self.venue is None:
            return str(self.year)
        return f"{self.venue}{',' if len(self.venue.split()) > 2 else ''} {self.year}"

    @property
    def repository(self) -> str | None:
        """Address of the code, at the commit where that is known."""
        if self.code is None:
            return None
        return f"https://github.com/{self.code}" + (f"/tree/{self.commit}" if self.commit else "")

    @property
    def key(self) -> str:
        """Key of the BibTeX entry: first author, year, first long word of the title."""
        word = next(word for word in re.findall(r"\w+", self.title) if len(word) > 3)
        plain = unicodedata.normalize("NFKD", f"{self.authors[0]}{self.year}{word}").encode("ascii", "ignore")
        return plain.decode().lower()

    def __str__(self) -> str:
        return f"{self.who}: {self.title}, {self.where}"

    def bibtex(self) -> str:
        """One BibTeX entry; @misc where there is no venue, the code in the note."""
        fields = {
            "author": " and ".join(self.authors),
            "title": f"{{{self.title}}}",
            "journal" if self.journal else "booktitle": self.venue,
            "year": str(self.year),
            "url": self.link,
            "note": None if self.repository is None else f"Code: {self.repository}",
        }
        kind = "misc" if self.venue is None else "article" if self.journal else "inproceedings"
        lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value is not None]
        return "\n".join([f"@{kind}{{{self.key},", *lines, "}"])

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "authors": list(self.authors), "key": self.key}
