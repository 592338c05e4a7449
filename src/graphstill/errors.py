"""Errors that a user can act on. Each message says what is wrong (with the value), where, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GraphstillError(Exception):
    """Base of every error that graphstill raises on purpose.

    >>> gs.models.GCN(hidden=0)
    Traceback (most recent call last):
        ...
    graphstill.errors.ConfigError: hidden=0 in GCN: give a whole number of at least 1, and at most 1,048,576
    """


class GraphstillWarning(UserWarning):
    """Something about data, a teacher or a result is odd; it stands in the result too."""


class DataError(GraphstillError, ValueError):
    """The data cannot be learnt from as given."""


class SealError(GraphstillError):
    """The sealed test labels were asked for at the wrong time, or twice."""


class ConfigError(GraphstillError, ValueError):
    """A recipe, an option or a constructor argument is not valid."""


class MethodError(GraphstillError, ValueError):
    """A method cannot run on what it was given (missing teacher, widths that differ, too few peers)."""


class CheckpointError(GraphstillError):
    """A checkpoint or a run directory is missing, broken, or belongs to something else."""


class ExportError(GraphstillError):
    """A student cannot be exported, or an exported folder is missing, broken, or not what it says it is."""


class ServeError(GraphstillError):
    """A server cannot start: an extra is missing, or the address cannot be used."""


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint ', did you mean X?' for an unknown key, or the list of known keys where nothing is near."""
    names = sorted(known)
    close = difflib.get_close_matches(key, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
