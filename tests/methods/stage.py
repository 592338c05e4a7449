"""The stage of `graphstill.testing`, and which registered methods stand on it."""

from __future__ import annotations

from typing import Any

from graphstill.method import Method
from graphstill.methods import METHODS
from graphstill.testing.stage import (
    STUDENT,
    WITH_HEADS,
    Stage,
    as_target,
    map_view,
    peers_of,
    set_stage,
    student_of,
    with_tensors,
)

__all__ = [
    "STUDENT",
    "WITH_HEADS",
    "Stage",
    "as_target",
    "by_default",
    "every_method",
    "map_view",
    "peers_of",
    "set_stage",
    "student_of",
    "with_tensors",
]

#: Methods that say something about image networks only.
FOR_IMAGES = {"smoothing"}
#: Methods whose term is absent in the first epoch unless they are told otherwise.
FROM_THE_START: dict[str, dict[str, Any]] = {"reviewkd": {"warm_up": 0}}


def every_method() -> list[str]:
    """All methods that run on nodes; those whose items are whole graphs are tried in `test_on_graphs`."""
    return sorted(name for name in set(METHODS) - FOR_IMAGES if not METHODS[name].needs.graphs)


def by_default(name: str) -> Method:
    """The method as it is without options, except that its terms are there from the first epoch on."""
    return METHODS[name](**FROM_THE_START.get(name, {}))
