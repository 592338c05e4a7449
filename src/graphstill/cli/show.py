"""graphstill show NAME"""

from __future__ import annotations

from typing import Any

from graphstill.cli.output import Debug, Json, emit

NAME = "show"


def command(name: str, json: Json = False, debug: Debug = False) -> None:  # noqa: ARG001 - read by cli.app
    """Describe a method, model, data set, or recipe file: what it is, its options and defaults, what it needs."""
    from graphstill.study.catalogue import describe

    found = describe(name)
    emit(found, json, lambda: _text(found))


def _text(found: dict[str, Any]) -> str:
    if found["kind"] == "recipe":
        import yaml

        return str(yaml.safe_dump(found["recipe"], sort_keys=False, allow_unicode=True))
    parts = [f"{found['kind']} {found['name']}", "", found["doc"], "", "Options"]
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
    return "\n".join(parts)
