"""python -m tools.gains: docs/figures/gains-cora.svg, what each method gained on Cora, from the raw results of studies.

Written by hand like the plots of speed: a plotting library would be a dependency, and its files change with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphstill.files import atomic_write_text
from graphstill.report import read_results
from graphstill.report.studies import by_task, corrected, method_of
from graphstill.report.tables import headline

ROOT = Path(__file__).parents[1]
STUDIES = ROOT / "benchmarks" / "results" / "studies"
FILE = ROOT / "docs" / "figures" / "gains-cora.svg"
TASK = "cora"
PANELS = {
    "citation": "GCN-64, taught by a GCNII of 16 layers",
    "online": "groups of four GCN-16, without a teacher",
}
WIDTH, LEFT, RIGHT, ROW, HEAD = 640, 120, 20, 19, 30
CLAIMED, OPEN = "#0b7a75", "#999999"


def rows(study: str) -> list[tuple[str, float, float, float, bool]]:
    """Method, gain and the bounds of its interval in points, and whether p (Holm, over the task) < 0.05; best first."""
    found = []
    for result, p in corrected(by_task(read_results(STUDIES / study))[TASK]):
        gain: Mapping[str, Any] = headline(result)
        low, high = (gain["difference"] if gain[bound] is None else gain[bound] for bound in ("low", "high"))
        claimed = p is not None and p < 0.05
        found.append((method_of(result), 100 * gain["difference"], 100 * low, 100 * high, claimed))
    return sorted(found, key=lambda row: -row[1])


def figure() -> str:
    """The SVG: for each study a row a method, the gain as a dot, its 95 % interval as a line, all on one scale."""
    panels = {title: rows(study) for study, title in PANELS.items()}
    everything = [row for found in panels.values() for row in found]
    low, high = math.floor(min(row[2] for row in everything)), math.ceil(max(row[3] for row in everything))

    def at(points: float) -> float:
        return LEFT + (points - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    height = sum(HEAD + ROW * len(found) for found in panels.values()) + 76
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{WIDTH / 2:.0f}" y="20" text-anchor="middle" font-size="14">Gain over the undistilled student on '
        "Cora, 95 % interval</text>",
    ]
    parts += [_tick(points, at(points), height - 44) for points in range(low, high + 1)]
    top = 30
    for title, found in panels.items():
        parts.append(f'<text x="{LEFT}" y="{top + 20}" font-weight="bold">{title}</text>')
        parts += [
            line for number, row in enumerate(found) for line in _row(row, at, top + HEAD + ROW * number + ROW / 2)
        ]
        top += HEAD + ROW * len(found)
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{height - 9}" text-anchor="middle">test accuracy in points, '
        f'both arms searched on validation; <tspan fill="{CLAIMED}">p (Holm) &lt; 0.05</tspan>, '
        f'<tspan fill="{OPEN}">not below</tspan></text>'
    )
    return "\n".join([*parts, "</svg>\n"])


def _tick(points: int, x: float, bottom: float) -> str:
    colour = "#666" if points == 0 else "#ddd"
    return (
        f'<line x1="{x:.1f}" y1="34" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"/>'
        f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{f"{points:+d}" if points else 0}</text>'
    )


def _row(row: Sequence[Any], at: Any, y: float) -> list[str]:
    name, gain, low, high, claimed = row
    colour = CLAIMED if claimed else OPEN
    return [
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{name}</text>',
        f'<line x1="{at(low):.1f}" y1="{y:.1f}" x2="{at(high):.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2"/>',
        f'<circle cx="{at(gain):.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{name}: {gain:+.2f} '
        f"[{low:+.2f}, {high:+.2f}]</title></circle>",
    ]


if __name__ == "__main__":
    atomic_write_text(FILE, figure())
