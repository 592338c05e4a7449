"""What of an export is asked for, besides the run and its data."""

from __future__ import annotations

from dataclasses import dataclass

Member = int | str | None


@dataclass(frozen=True)
class Options:
    """See :func:`graphstill.export`."""

    member: Member = None
    int8: str | None = None
    engine: str | None = None
    overwrite: bool = False
