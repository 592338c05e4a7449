"""python -m tools.architecture: rooms and arrows of docs/architecture.md, from the code's own imports."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

from graphstill.report.tables import update

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "graphstill"
PAGE = ROOT / "docs" / "architecture.md"
#: Rooms that any other may use are not drawn.
BASE = {"archives", "errors", "files", "plain_yaml", "typed", "lock", "environment", "allocator", "threads", "plugins"}


def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in BASE or room == "__init__":
            continue
        found[room] |= set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            targets = {name.split(".")[1] for name in names if name.startswith("graphstill.")}
            found[room] |= targets - BASE - {room}
    return {room: {target for target in targets if (PACKAGE / target).exists()} for room, targets in found.items()}


def direct(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """Arrows that no longer way implies: the transitive reduction, so that the picture can be read."""
    from networkx import DiGraph, transitive_reduction

    whole = DiGraph([(room, target) for room, targets in graph.items() for target in targets])
    whole.add_nodes_from(graph)
    return {room: set(transitive_reduction(whole).successors(room)) for room in graph}


def floors() -> dict[int, list[str]]:
    """The rooms by the number of rooms that one has to go through below them."""
    graph, level = arrows(), dict[str, int]()

    def height(room: str) -> int:
        if room not in level:
            level[room] = 1 + max((height(target) for target in graph[room] if target in graph), default=0)
        return level[room]

    rows = defaultdict(list)
    for room in sorted(graph):
        rows[height(room)].append(room)
    return dict(rows)


def draw(path: Path) -> None:
    """The same as an SVG, the same bytes each time."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "rooms", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    rows = floors()
    wide = max(map(len, rows.values()))
    place = {
        room: ((i + 0.5) * wide / len(row) - wide / 2, floor)
        for floor, row in rows.items()
        for i, room in enumerate(row)
    }
    figure, axes = plt.subplots(figsize=(9, 6))
    for room, targets in sorted(direct(arrows()).items()):
        for target in sorted(targets):
            arrow = {"arrowstyle": "-|>", "color": "#8aa", "shrinkA": 14, "shrinkB": 14}
            axes.annotate("", place[target], place[room], arrowprops=arrow)
    for room, (x, y) in place.items():
        box = {"boxstyle": "round,pad=0.4", "facecolor": "#e6f4f1", "edgecolor": "#00796b"}
        axes.text(x, y, room, ha="center", va="center", bbox=box)
    axes.set_xlim(-wide / 2 - 0.3, wide / 2 + 0.3)
    axes.set_ylim(0.5, max(rows) + 0.5)
    axes.axis("off")
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)


def picture() -> str:
    """The rooms by floor, the highest first, with what each stands on."""
    drawn, rows = direct(arrows()), floors()
    lines = ["| floor | room | stands on |", "|---|---|---|"]
    for floor in sorted(rows, reverse=True):
        for room in sorted(rows[floor]):
            lines.append(f"| {floor} | `{room}` | {', '.join(f'`{t}`' for t in sorted(drawn[room])) or '–'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    update(PAGE, picture(), "rooms")
    draw(ROOT / "docs" / "figures" / "rooms.svg")
