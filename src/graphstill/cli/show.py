"""graphstill show NAME"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphstill.cli.output import Debug, Json, emit

NAME = "show"
#: Lines of what a method gained; the rest is told with --json.
SHOWN = 10


def command(name: str, json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001 - read by cli.app
    """Describe a method, model, data set, or recipe file: what it is, its options and defaults, what it needs.

    Of a method also where to start: weight, cost, what it gained in the committed results, and a line that runs it.
    """
    from graphstill.study.catalogue import describe

    found = describe(name)
    emit(found, json, lambda: _text(found))


def _text(found: dict[str, Any]) -> str:
    if found["kind"] == "recipe":
        import yaml

        return str(yaml.safe_dump(found["recipe"], sort_keys=False, allow_unicode=True))
    called = f" (in Python: {found['class']})" if "class" in found else ""
    parts = [f"{found['kind']} {found['name']}{called}", "", found["doc"], "", "Options"]
    parts += [
        f"  {option['name']}: {option['type']}" + (f" = {option['default']!r}" if "default" in option else "")
        for option in found["options"]
    ]
    if found.get("needs"):
        parts += ["", f"Needs: {', '.join(found['needs'])}"]
    for preset, values in found.get("presets", {}).items():
        parts += ["", f"preset: {preset}", *(f"  {key}: {value!r}" for key, value in values.items() if key != "name")]
    if found.get("training"):
        parts += ["", "Recommended training", *(f"  {key}: {value!r}" for key, value in found["training"].items())]
    for paper in found.get("reference", ()):
        parts += ["", *_paper(paper)]
    if found.get("space"):
        parts += ["", "Worth a search (`space: own` in a grid)"]
        parts += [f"  {option}: {', '.join(map(str, values))}" for option, values in found["space"].items()]
    if "start" in found:
        parts += ["", *_start(found["start"])]
    return "\n".join(parts)


def _paper(paper: Mapping[str, Any]) -> list[str]:
    names = [name for name in paper["authors"] if name != "others"]
    who = ", ".join(names) + (" et al." if len(names) < len(paper["authors"]) else "")
    lines = [f"Paper: {who}: {paper['title']}, {' '.join(str(paper[k]) for k in ('venue', 'year') if paper[k])}"]
    lines += [f"  {paper['link']}"] if paper["link"] else []
    at = f" at {paper['commit']}" if paper["commit"] else ""
    return lines + ([f"  code that was read: https://github.com/{paper['code']}{at}"] if paper["code"] else [])


def _start(start: Mapping[str, Any]) -> list[str]:
    cost, gained = start["cost"], start["gained"]
    lines = [f"Start with: weight {start['weight']:g}", f"Run it: {start['run']}"]
    if cost["ratio"] is not None:
        times = f"{cost['ratio']:.1f} times the processor time of the undistilled student's ({cost['of']})"
        lines.append(f"Costs: an epoch takes {times}")
    lines.append(f"Further passes: {cost['passes']}")
    if not gained:
        return [*lines, "Gained: nothing measured so far"]
    lines.append("Gained over the undistilled student, in test points, paired by seed (p: Holm over its table)")
    lines += [f"  {_gain(row)}" for row in gained[:SHOWN]]
    return lines + ([f"  and {len(gained) - SHOWN} more with --json"] if len(gained) > SHOWN else [])


def _gain(row: Mapping[str, Any]) -> str:
    interval = "" if row["low"] is None else f" [{100 * row['low']:+.2f}, {100 * row['high']:+.2f}]"
    p = "no claim" if row["p_holm"] is None else f"p={row['p_holm']:.3f}" if row["p_holm"] >= 0.001 else "p<0.001"
    place = row["run"] if row["study"] is None else f"{row['study']}/{row['run']}"
    weight = "" if row["weight"] == 1 else f", weight {row['weight']:g}"
    return f"{100 * row['difference']:+.2f}{interval} {p}  {place}: {row['student']}{weight}"
