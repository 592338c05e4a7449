"""A lock file: one folder, one run at a time, across processes; a dead owner's lock is taken over."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from graphstill.errors import CheckpointError
from graphstill.files import atomic_write_text


class Lock:
    """Holds `path` (a file made with O_EXCL that names process and host) for the length of a `with` block.

    A lock whose process is gone from this host is taken over. One of another host is never judged: only a person can
    know whether that machine still works on it. Raises CheckpointError when somebody else holds the lock.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.held = False

    def acquire(self) -> Lock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._create(self.path):
            self._take_over()
        self.held = True
        return self

    def release(self) -> None:
        if self.held:
            self.held = False
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Lock:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def remove_stale(self) -> None:
        """Remove the lock of an owner that is gone from this host."""
        if self.path.is_file() and _is_stale(self._owner()):
            self.path.unlink(missing_ok=True)

    def _create(self, path: Path) -> bool:
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_me())
        return True

    def _take_over(self) -> None:
        """Under a second lock, so that of two that find the same dead owner only one gets it."""
        if not _is_stale(self._owner()):
            raise self._refusal()
        guard = self.path.with_name(self.path.name + ".takeover")
        if not self._create(guard):
            if not _is_stale(Lock(guard)._owner()):
                raise self._refusal(guard)
            guard.unlink(missing_ok=True)  # whoever was taking over died of it
            if not self._create(guard):
                raise self._refusal(guard)
        try:
            if not _is_stale(self._owner()):
                raise self._refusal()
            atomic_write_text(self.path, _me())
        finally:
            guard.unlink(missing_ok=True)

    def _owner(self) -> dict[str, Any]:
        try:
            owner = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"pid": None, "host": None, "state": "released just now; try again"}
        except ValueError:  # created this very moment and not written yet
            return {"pid": None, "host": None, "state": "starting up"}
        return owner if isinstance(owner, dict) else {"pid": None, "host": None, "state": "not a lock of graphstill"}

    def _refusal(self, guard: Path | None = None) -> CheckpointError:
        owner = self._owner()
        who = owner.get("state") or f"process {owner.get('pid')} on {owner.get('host')}"
        return CheckpointError(
            f"the run directory is in use ({who}): {self.path.parent}, lock file {guard or self.path}. "
            "Wait for that run, choose another directory (--dir), or delete the lock file if you know that it is dead."
        )


def _me() -> str:
    pid = os.getpid()
    return json.dumps({"pid": pid, "host": socket.gethostname(), "started": _started(pid)})


def _started(pid: int) -> float | None:
    """When a process began, or None if there is no such process."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _is_stale(owner: dict[str, Any]) -> bool:
    """Dead, on this host. The start time tells reused ids: restarted in a container, a run is often process 1 again."""
    pid = owner.get("pid")
    if not isinstance(pid, int) or owner.get("host") != socket.gethostname():
        return False
    started, noted = _started(pid), owner.get("started")
    if started is None:
        return True
    return isinstance(noted, float) and abs(started - noted) > 2.0
