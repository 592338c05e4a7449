"""What a comparison looks like: a column a model, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def table(found: dict[str, Any]) -> Table:
    """A column a model, and one for how many times as much each of the others costs as the first."""
    from rich.table import Table

    graph, models = found["graph"], found["models"]
    view = Table(
        title=f"{found['name']}: {graph['dataset']}, {graph['nodes']:,} nodes, {graph['edges']:,} edges; "
        f"{found['threads']} thread{'s' if found['threads'] > 1 else ''}, {found['rounds']} rounds",
        caption="\n".join(_below(found)) or None,
        title_justify="left",
        caption_justify="left",
        box=None,
        pad_edge=False,
    )
    view.add_column("", no_wrap=True)
    for row in models:
        view.add_column(row["role"], justify="right", no_wrap=True)
    for role in found["ratios"]:
        view.add_column(f"{role}\n/ {models[0]['role']}", justify="right", no_wrap=True)
    for label, key, text in _lines(found):
        if any(row.get(key) is not None for row in models):
            cells = [text(row[key]) if row.get(key) is not None else "-" for row in models]
            times = [ratio.get(key) for ratio in found["ratios"].values()]
            view.add_row(label, *cells, *("" if time is None else f"{time:.2f}x" for time in times))
    return view


def _lines(found: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """(label, key of a row, how its value is written)."""

    def of_run(test: dict[str, Any]) -> str:
        spread = test["all_seeds"]
        return "-" if spread is None else f"{100 * spread['mean']:.2f} ({spread['seeds']})"

    def of_member(test: dict[str, Any]) -> str:
        return "-" if test["member"] is None else f"{100 * test['member']:.2f}"

    def milliseconds(ms: float) -> str:
        return f"{ms:.{2 if ms < 100 else 0}f}"

    def percentiles(ms: dict[str, float]) -> str:
        return "/".join(milliseconds(ms[p]) for p in ("p50", "p95", "p99"))

    def count(value: float) -> str:
        return f"{value:,.0f}"

    return [
        ("model", "model", lambda model: model.get("class", model["name"])),
        ("engine", "engine", str),
        (f"test {found['metric']}, mean (seeds)", "test", of_run),
        ("  of the member that is measured", "test", of_member),
        ("parameters", "parameters", count),
        ("KiB on disk", "bytes", lambda size: f"{size / 1024:,.0f}"),
        ("10^6 multiply-adds, full graph", "multiply_adds", lambda n: f"{n / 1e6:,.2f}"),
        ("one node, ms p50/p95/p99", "node_ms", percentiles),
        ("  CPU ms", "node_cpu_ms", milliseconds),
        (f"{found['batch_nodes']:,} nodes, ms p50/p95/p99", "batch_ms", percentiles),
        ("  CPU ms", "batch_cpu_ms", milliseconds),
        ("full graph, ms p50/p95/p99", "full_ms", percentiles),
        ("  CPU ms", "full_cpu_ms", milliseconds),
        ("nodes a second, full graph", "nodes_per_second", count),
        ("peak memory, MiB", "memory_mb", lambda mb: f"{mb:,.1f}"),
        ("joules, full graph", "joules", lambda joules: f"{joules:.3f}"),
    ]


def _below(found: dict[str, Any]) -> list[str]:
    eager = [f"{role}, full graph, eagerly: {ms['p50']:.2f} ms" for role, ms in found["pyg"].items()]
    return [*eager, *found["notes"]]
