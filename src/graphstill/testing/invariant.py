"""How a check says that something does not hold."""

from __future__ import annotations

from graphstill.errors import GraphstillError


class BrokenInvariant(GraphstillError, AssertionError):
    """Something that must hold for every method or model does not hold for this one."""


def require(condition: object, problem: str) -> None:
    """Raises BrokenInvariant with the problem unless the condition holds."""
    if not condition:
        raise BrokenInvariant(problem)
