"""How a check says that something does not hold."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from graphstill.errors import ConfigError, GraphstillError, nearest


class BrokenInvariant(GraphstillError, AssertionError):
    """Something that must hold for every method or model does not hold for this one."""


def require(condition: object, problem: str) -> None:
    """Raises BrokenInvariant with the problem unless the condition holds."""
    if not condition:
        raise BrokenInvariant(problem)


def importable(cls: type) -> bool:
    """Whether its module has the class under its name, so that ``module:Name`` finds it."""
    return getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is cls


def asked(checks: Iterable[str], without: Mapping[str, str], where: str) -> list[str]:
    """The checks to make. Raises ConfigError for one to leave out that there is not, or for no reason."""
    known = list(checks)
    for name, reason in without.items():
        if name not in known:
            raise ConfigError(f"no check is called {name!r}, in {where}: {nearest(name, known)}")
        if not reason.strip():
            raise ConfigError(f"{where} leaves out {name!r} without a reason: say why it need not hold")
    return [name for name in known if name not in without]
