"""What a search of a method varies: the ranges that the method carries, by reference, so that they are written once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphstill.errors import ConfigError, nearest
from graphstill.study.chosen import chosen
from graphstill.study.source import Source

OWN = "own"


def own_ranges(space: Any, method: Any, cell: str, source: Source) -> dict[str, Any]:
    """The `space` of a grid's method with each `own` replaced by the values that the method's class carries.

    `space: own` stands for all of its ranges, `method.alpha: own` for one; of a sum of methods the terms are counted
    from 0, `method.1.weight: own`. Lists of values are left as they are.

    Raises ConfigError for an option without a range, a space that is neither, and an unknown method.
    """
    where = f"methods.{cell}.space"
    if isinstance(space, Mapping):
        if OWN not in [value for value in space.values() if isinstance(value, str)]:
            return dict(space)
        known = _ranges(method, cell, source)
        return {key: _one(key, known, where, source) if value == OWN else value for key, value in space.items()}
    if space == OWN:
        return _ranges(method, cell, source)
    raise ConfigError(
        f"{space!r} is nothing to search, in {where}: {source.name}. Give `own`, or dotted options with lists."
    )


def _ranges(method: Any, cell: str, source: Source) -> dict[str, Any]:
    """All ranges of the terms, by dotted option, in the order in which the class has them."""
    several = isinstance(method, Sequence) and not isinstance(method, str)
    found: dict[str, Any] = {}
    for number, term in enumerate(method if several else [method]):
        named = term.get("name") if isinstance(term, Mapping) else term
        _, cls = chosen("method", named, source, ("methods", cell, "method"), "method")
        prefix = f"method.{number}" if several else "method"
        found |= {f"{prefix}.{option}": list(values) for option, values in cls.space.items()}
    return found


def _one(key: str, known: Mapping[str, Any], where: str, source: Source) -> Any:
    if key not in known:
        hint = nearest(key, known) if known else "it has none"
        raise ConfigError(f"no range of its own for {key!r}, in {where}: {source.name}; {hint}. Give a list of values.")
    return known[key]
