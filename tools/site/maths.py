"""Formulas as MathML, made when the pages are built: browsers show it by themselves, without a script or a network."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)
#: What the converter does not know, in words that it does.
REWRITTEN = {r"\lVert": r"\|", r"\rVert": r"\|", r"\dfrac": r"\frac", r"\tfrac": r"\frac", r"\mathbb{1}": "1"}


def on_page_content(content: str, **_: Any) -> str:
    """Replace what pymdownx.arithmatex marks; figures stay beside their deviation."""
    return FORMULA.sub(_mathml, content).replace(" ± ", "&nbsp;±&nbsp;")


def _mathml(match: re.Match[str]) -> str:
    text = html.unescape(match.group(2)).strip()
    text = text.removeprefix("\\(").removesuffix("\\)").removeprefix("\\[").removesuffix("\\]").strip()
    for old, new in REWRITTEN.items():
        text = text.replace(old, new)
    display = "block" if match.group(1) == "div" else "inline"
    made: str = convert(text, display=display)
    return f'<div class="formula">{made}</div>' if display == "block" else made
