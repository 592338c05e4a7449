"""What each value of a manifest must be, so that nothing in it surprises whoever executes the folder."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

#: Sizes beyond which a folder is damaged rather than large.
MOST, MOST_PIXELS = 2**31 - 1, 2**28


def whole(value: object, least: int = 1, most: int = MOST) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(text(part) for part in value)


def three(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and texts(value)


def flag(value: object) -> bool:
    return isinstance(value, bool)


#: What a value that fails one of these is not.
KINDS: dict[Callable[[object], bool], str] = {
    whole: "no whole number above 0",
    number: "no finite number",
    text: "no str",
    texts: "no list of names",
    three: "no list of three names",
    flag: "no bool",
}


def fault(manifest: Mapping[str, Any]) -> str | None:
    """What is wrong with a value that the runtime reads, or None: "'features' is -1", say."""
    for key in ("features", "classes"):
        if not whole(manifest[key]):
            return _said(key, manifest[key])
    for name, entry in manifest["files"].items():
        good = isinstance(entry, dict) and isinstance(entry.get("sha256"), str) and whole(entry.get("bytes"), 0, 2**62)
        if not good:
            return _said(f"files: {name}", entry)
    for engine, allowed in manifest["tolerance"].items():
        if not number(allowed) or allowed < 0:
            return _said(f"tolerance: {engine}", allowed)
    return _image_fault(manifest["image"]) if "image" in manifest else None


def _image_fault(image: object) -> str | None:
    sizes: list[Any] = [image.get(key) for key in ("channels", "height", "width")] if isinstance(image, dict) else []
    if len(sizes) != 3 or not all(whole(size) for size in sizes) or math.prod(sizes) > MOST_PIXELS:
        return f"'image' is {image!r:.80}, not channels, height, width above 0 and of a size that fits a machine"
    assert isinstance(image, dict)
    names = image.get("class_names")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        return _said("image: class_names", names)
    return None


def _said(key: str, value: object) -> str:
    return f"{key!r} is {value!r:.80}"


#: Fields of each step of a plan. "attend" reads values and the two scores, in this order.
FIELDS: dict[str, dict[str, Callable[[object], bool]]] = {
    "dense": {"file": text, "in": texts, "out": texts},
    "project": {"weight": text, "in": text, "out": text},
    "propagate": {"in": text, "out": text, "norm": text, "self_loops": flag},
    "attend": {
        "in": three,
        "out": text,
        "heads": whole,
        "slope": number,
        "self_loops": flag,
    },
}
