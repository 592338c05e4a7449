"""Large buffers are kept for the next step instead of going back to the system and being faulted in again."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_MIB = 2**20


def recycle_large_buffers(keep_mib: int = 512) -> bool:
    """Let glibc's malloc serve buffers of every size from memory that it keeps.

    A training step allocates the same buffers again and again; by default each goes back to the system and its pages
    are faulted in anew: a fifth of the time of a small graph's step, a third of that of a large one. The price is that
    a process stays about as large as it ever was: what is free above everything in use goes back from `keep_mib` MiB
    on, what is free between does not. Returns whether it was done: only glibc (Linux) is asked.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    # No mappings of their own: malloc gives those back at once, and lets them begin at 32 MiB at the latest.
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, keep_mib * _MIB), (_M_TOP_PAD, 16 * _MIB))
    return all(mallopt(option, value) == 1 for option, value in settings)
