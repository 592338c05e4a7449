"""Checks of constructor arguments that many methods share; each error names the method, the argument and the value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphstill.errors import ConfigError
from graphstill.method import Method, Peers, View


def positive(method: Method, **values: float) -> None:
    """Each value must be a finite number above zero."""
    for key, value in values.items():
        if not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
            raise ConfigError(f"{method.name}: {key} is {value!r}, but must be a number above 0")


def not_negative(method: Method, **values: float) -> None:
    """Each value must be a finite number, zero or above."""
    for key, value in values.items():
        if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
            raise ConfigError(f"{method.name}: {key} is {value!r}, but must be a number, 0 or above")


def share(method: Method, **values: float) -> None:
    """Each value must be a number from 0 to 1."""
    for key, value in values.items():
        if not (isinstance(value, int | float) and 0 <= value <= 1):
            raise ConfigError(f"{method.name}: {key} is {value!r}, but must be a number from 0 to 1")


def one_of(method: Method, choices: Sequence[Any], **values: Any) -> None:
    """Each value must be one of the choices."""
    for key, value in values.items():
        if value not in choices:
            raise ConfigError(f"{method.name}: {key} is {value!r}, but must be one of {', '.join(map(repr, choices))}")


def kernel_bandwidth(method: Method, value: float | str) -> None:
    """A kernel's σ: a positive number, or where to take it from."""
    if isinstance(value, str):
        one_of(method, ("mean", "median"), bandwidth=value)
    else:
        positive(method, bandwidth=value)


def teacher(t: View | None) -> View:
    """The teacher's view of a method that needs one; the engine refuses to start such a method without it."""
    assert t is not None
    return t


def peers(t: View | None) -> Peers:
    """The peers' view of an online method; the engine refuses to start such a method with fewer than two."""
    assert isinstance(t, Peers)
    return t
