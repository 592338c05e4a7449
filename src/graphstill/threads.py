"""As many threads of torch as a run's arrays keep busy."""

from __future__ import annotations

import os
from functools import cache

#: Who sets one of these has decided.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: Bytes of a run's largest array for each thread. On two cores a step on Cora (0.7 MB) takes twice as long with two
#: threads as with one; from 7 MB on (PubMed's features, ten GCN-64 on Cora) two are up to 1.4 times faster.
GRAIN = 3_500_000

#: How many processes share the cores; None: nobody asked for a choice.
_processes: int | None = None


def adapt(processes: int = 1) -> bool:
    """Let each run choose its number of threads, where so many processes share the cores.

    Not done where OMP_NUM_THREADS or MKL_NUM_THREADS is set. Returns whether it is done.
    """
    global _processes
    _processes = None if any(os.environ.get(name) for name in VARIABLES) else processes
    return _processes is not None


def suit(size: int) -> int | None:
    """Set torch's number of threads for arrays of up to `size` bytes; 0: not known, as many as there are.

    Returns the number, or None where `adapt` was not asked for: a program's own setting is left alone.
    """
    if _processes is None:
        return None
    import torch

    most = max(1, _at_start() // _processes)
    number = min(most, max(1, size // GRAIN)) if size else most
    torch.set_num_threads(number)
    return number


@cache
def _at_start() -> int:
    """What torch found before any run chose: the cores that this process may use."""
    import torch

    return torch.get_num_threads()
