"""What a result was made with: versions, machine, threads, commit. Imports no torch unless it is there already."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torch_geometric", "numpy", "graphstill")


def environment() -> dict[str, Any]:
    """Versions, machine and threads as plain JSON-able values, for every result file.

    `threads` is torch's number of threads where torch is imported, else what OMP_NUM_THREADS or the cores allow.
    `git_commit` is the commit of the checkout that graphstill is imported from, with `-dirty` where files differ from
    it, and None for an installed package.
    """
    versions = {name: version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        **versions,
        "machine": platform.machine(),
        "system": platform.system(),
        "cpu": _cpu_model(),
        "cores": available_cores(),
        "threads": _threads(),
        "git_commit": _git_commit(),
    }


def version(package: str) -> str | None:
    """The installed version of a distribution, or None; the package is not imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def available_cores() -> int:
    """Cores that this process may use, which in a container is often fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_mb() -> float:
    """The most memory that this process has held at a time, in units of 2**20 bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux starts from what the parent process had used
        for line in status.read_text("ascii", "replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows, whose psutil knows the peak
        import psutil

        memory = psutil.Process().memory_info()
        return float(getattr(memory, "peak_wset", memory.rss)) / 2**20
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, elsewhere kilobytes
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / unit


def _threads() -> int:
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "get_num_threads"):
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() else available_cores()


@cache
def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


@cache
def _git_commit() -> str | None:
    """Asked of git once a process; a package inside somebody else's repository (a venv) is not that repository."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):  # no git on this machine: a result without a commit is still a result
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
