"""As many threads of torch as a run's arrays keep busy."""

from __future__ import annotations

import os

#: Who sets one of these has decided.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
#: Bytes of a run's largest array for each thread. On two cores a step on Cora (0.7 MB) takes twice as long with two
#: threads as with one; from 7 MB on (PubMed's features, ten GCN-64 on Cora) two are up to 1.4 times faster.
GRAIN = 3_500_000

_most: int | None = None
_processes = 1


def adapt(processes: int = 1) -> bool:
    """Let each run choose its number of threads, where so many processes share the cores.

    Not done where OMP_NUM_THREADS or MKL_NUM_THREADS is set. Returns whether it is done.
    """
    global _most, _processes
    _most, _processes = (None if any(os.environ.get(name) for name in VARIABLES) else 0), processes
    return _most is not None


def suit(size: int) -> int | None:
    """Set torch's number of threads for arrays of up to `size` bytes; 0: not known, as many as there are.

    Returns the number, or None where `adapt` was not asked for: a program's own setting is left alone.
    """
    global _most
    if _most is None:
        return None
    import torch

    # What torch found at its start: the cores that this process may use.
    _most = _most or max(1, torch.get_num_threads() // _processes)
    number = min(_most, max(1, size // GRAIN)) if size else _most
    torch.set_num_threads(number)
    return number
