"""The tables and plots of docs/performance.md, from the raw results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed import measure, results
from benchmarks.speed.case import OURS, all_cases
from benchmarks.speed.machine import bandwidth
from benchmarks.speed.marks import MARKS, SAME
from benchmarks.speed.plots import Curve, plot

from graphstill.files import atomic_write_text
from graphstill.report.tables import markdown, replaced

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
FIGURES = PAGE.parent / "figures"
Row = dict[str, Any]
#: Headings of the subjects, by the name of their file in `cases/`.
SUBJECTS = {
    "citation": "One member",
    "cohorts": "Groups and seeds",
    "attention": "A graph set of PPI's size",
    "large": "Large graphs",
    "products": "The sparse product",
    "losses": "Losses",
    "evaluation": "Evaluation and inference",
    "startup": "Starting up",
    "images": "Image networks",
    "options": "Options that are off by default",
}
CURVES = {"nodes": "nodes", "edges": "edges", "width": "width", "members": "members"}


def write() -> None:
    """Bring the page and its figures up to date with the newest raw results."""
    rows, machine = results.read()
    for name, text in figures(newest(rows)).items():
        atomic_write_text(FIGURES / name, text)
    atomic_write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), rows, machine, results.read(threads=2)[0]))


def newest(rows: dict[str, list[Row]]) -> dict[str, Row]:
    """Of every case that is still run; raw results keep those of others."""
    return {name: found[-1] for name, found in rows.items() if name in all_cases()}


def page(text: str, rows: dict[str, list[Row]], machine: Row, two: dict[str, list[Row]]) -> str:
    """`text` with its generated parts replaced; `two`: the rows of runs with two threads."""
    parts = {"machine": about(machine), "marks": marks(rows), "threads": threads(newest(two).values())}
    for key, part in {**parts, "cases": cases(newest(rows).values())}.items():
        text = replaced(text, part, PAGE.name, key)
    return text


def about(machine: Row) -> str:
    found, limits = machine["machine"], machine["limits"]
    copy = ", ".join(f"{rate / 1e9:.0f} GB/s of {_size(int(size))}" for size, rate in limits["copy"].items())
    return (
        f"{found['cpu']}, {found['cores']} cores, {machine['threads']} thread; Python {found['python']}, torch "
        f"{found['torch']}, PyG {found['torch_geometric']}, graphstill at {found['git_commit']}. Copying (read and "
        f"written together): {copy}; a matrix product: {limits['matrix'] / 1e9:.0f} GFLOP/s."
    )


def marks(rows: dict[str, list[Row]]) -> str:
    lines = []
    for mark in MARKS:
        wanted = (mark.what, f"`{mark.case}`", f"{'≥' if mark.at_least else '≤'} {mark.wanted:g}x")
        if mark.case not in rows:
            lines.append((*wanted, "not measured", "", ""))
            continue
        last = rows[mark.case][-1]
        # Rows of before a case was given all its paths tell nothing.
        every = [mark.of(row) for row in rows[mark.case] if row["paths"] == last["paths"]]
        good = "met" if mark.met(last) else "**missed**"
        lines.append((*wanted, f"{every[-1]:.1f}x", good, f"{min(every):.1f}x to {max(every):.1f}x of {len(every)}"))
    below = [
        f"`{name}` ({path} {found:.1f}x)"
        for name, row in newest(rows).items()
        for path in row["paths"][1:]
        if path in ("PyG", "gather") and (found := measure.ratio(row, path, same=True)) < SAME
    ]
    table = _table(("mark", "case", "wanted", "newest", "", "all measurements"), lines)
    return f"{table}\n\nBelow {SAME:.0f}x under the same allocator settings: {', '.join(below) or 'none'}."


def threads(two: Iterable[Row]) -> str:
    """Wall times with one thread and with two, in turns: a second core is there to save waiting."""
    lines = []
    for row in two:
        settings = list(row["settings"])
        waits = [
            [measure.seconds(row, settings[place], path, clock) for clock in ("one thread", "wall")]
            for path, place in ((OURS, -1), ("PyG", 0), ("gather", 0))
            if path in row["paths"]
        ]
        told = [part for pair in waits for part in (f"{_ms(pair[0])} to {_ms(pair[1])}", f"{pair[0] / pair[1]:.1f}x")]
        lines.append((f"`{row['case']}`", *told, f"{waits[1][1] / waits[0][1]:.1f}x"))
    header = ("case", "ours, wall ms", "gain", "baseline, wall ms", "gain", "baseline over ours, two threads")
    return _table(header, lines) if lines else "Not measured."


def cases(rows: Iterable[Row]) -> str:
    parts = []
    for subject, heading in SUBJECTS.items():
        own = [row for row in rows if row["subject"] == subject]
        if own:
            header = ("case", "CPU ms (wall)", "MB", "against", "as used", "same allocator", "copy", "matrix")
            parts.append(f"### {heading}\n\n" + _table(header, [line for row in own for line in _lines(row)]))
    return "\n\n".join(parts)


def _lines(row: Row) -> list[tuple[str, ...]]:
    """A line for each baseline; the first also has what is ours."""
    setting = list(row["settings"])[-1]
    cpu, wall = (measure.seconds(row, setting, OURS, clock) for clock in ("cpu", "wall"))
    memory = row["settings"][setting][OURS].get("megabytes")
    ours = (f"`{row['case']}`: {row['what']}", f"{_ms(cpu)} ({_ms(wall)})", "" if memory is None else f"{memory:.0f}")
    shares = ("", "")
    if row["work"]:
        speed = bandwidth(row["limits"], row["sizes"].get("working set", float("inf")))
        moved, computed = row["work"]["bytes"] / cpu / speed, row["work"]["flops"] / cpu / row["limits"]["matrix"]
        shares = (f"{moved:.0%}", f"{computed:.0%}")
    lines: list[tuple[str, ...]] = []
    for path in row["paths"][1:]:
        theirs = row["settings"][next(iter(row["settings"]))][path].get("megabytes")
        other = f"{path}, {_ms(measure.seconds(row, next(iter(row['settings'])), path))} ms"
        other += "" if theirs is None else f", {theirs:.0f} MB"
        lines.append((*ours, other, *(f"{measure.ratio(row, path, same):.1f}x" for same in (False, True)), *shares))
        ours, shares = ("", "", ""), ("", "")
    for name, seconds in row["figures"].items():
        lines.append((*ours, f"{name}, {_ms(seconds)} ms", f"{seconds / cpu:.1f}x", "", *shares))
        ours, shares = ("", "", ""), ("", "")
    return lines or [(*ours, "", "", "", *shares)]


def figures(rows: dict[str, Row]) -> dict[str, str]:
    """SVG files by name: time and memory along every curve."""
    made = {}
    for curve, axis in CURVES.items():
        own = [row for name, row in rows.items() if name.startswith(f"scaling-{curve}/")]
        if len(own) < 2:
            continue
        times, sizes = [], []
        for path, setting in ((OURS, "recycled"), ("PyG", "default")):
            having = [row for row in own if path in row["paths"]]
            name = "graphstill" if path == OURS else "PyG"
            times.append(Curve(name, [(r["sizes"][axis], 1e3 * measure.seconds(r, setting, path)) for r in having]))
            sizes.append(
                Curve(name, [(r["sizes"][axis], r["settings"][setting][path]["megabytes"]) for r in having])
            )  # fmt: skip
        made[f"speed-{curve}-time.svg"] = plot(f"A GCN training step by {curve}", axis, "CPU ms", times)
        made[f"speed-{curve}-memory.svg"] = plot(f"Peak memory by {curve}", axis, "MB", sizes)
    return made


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(markdown(header, lines))


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB"
