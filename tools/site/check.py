"""python tools/site/check.py FOLDER: the built pages fetch nothing from elsewhere and show no formula as source."""

from __future__ import annotations

import re
import sys
from pathlib import Path

FETCHED = re.compile(
    r'<(?:script|img|iframe)[^>]+src="(https?:)?//|<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+href="(https?:)?//'
)
CODE = re.compile(r"<(code|pre|script|style)\b.*?</\1>", re.DOTALL)
FORMULA = re.compile(r"\$\$|\\\(|\\\[|\\frac|\\mathrm")


def faults(folder: Path) -> list[str]:
    """A line for each page and what is wrong with it."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        text = page.read_text("utf-8")
        name = page.relative_to(folder)
        found += [f"{name}: fetches {match.group(0)[:100]}" for match in FETCHED.finditer(text)]
        found += [f"{name}: a formula as its source: {m.group(0)}" for m in FORMULA.finditer(CODE.sub("", text))]
    return found


if __name__ == "__main__":
    problems = faults(Path(sys.argv[1]))
    print("\n".join(problems) or "pages: nothing is fetched, every formula is shown")
    sys.exit(bool(problems))
