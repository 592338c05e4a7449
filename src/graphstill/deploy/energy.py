"""Energy counters of the processor, where the system has them and lets them be read."""

from __future__ import annotations

from pathlib import Path

POWERCAP = Path("/sys/class/powercap")


class Energy:
    """The sum over the packages of the machine: everything that runs on it counts.

    Attributes:
        present: whether there is a counter that may be read; else `microjoules` is of no use.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        zones = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
        # intel-rapl:0 is a package; intel-rapl:0:1 is a part of it.
        packages = [zone for zone in zones if zone.name.count(":") == 1]
        self._counters = [(zone / "energy_uj", zone / "max_energy_range_uj") for zone in packages]
        self.present = bool(packages) and all(_number(path) is not None for pair in self._counters for path in pair)

    def read(self) -> list[int]:
        """The counters now, in microjoules; they wrap around."""
        return [_number(counter) or 0 for counter, _ in self._counters]

    def joules_since(self, before: list[int]) -> float:
        """Energy since `read`; at most one turn of a counter, which takes minutes, may lie between."""
        used = 0
        for now, then, (_, most) in zip(self.read(), before, self._counters, strict=True):
            used += now - then if now >= then else now - then + (_number(most) or 0)
        return used / 1e6


def _number(path: Path) -> int | None:
    """What the file says; None where it is not there, or root's alone, as the counters are on most systems."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
