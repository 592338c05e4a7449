"""Large buffers are kept for the next step instead of going back to the system and being faulted in again."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
_MIB = 2**20


def recycle_large_buffers(keep_mib: int = 512) -> bool:
    """Let glibc's malloc keep up to `keep_mib` MiB of free memory, and serve buffers below 32 MiB from it.

    A training step allocates the same few megabytes again and again; by default each goes back to the system and its
    pages are faulted in anew, a fifth of the time of a small graph's step. The price is up to `keep_mib` of resident
    memory. Returns whether it was done: only glibc (Linux) is asked.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library, such as musl
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    settings = ((_M_MMAP_THRESHOLD, 32 * _MIB), (_M_TRIM_THRESHOLD, keep_mib * _MIB), (_M_TOP_PAD, 16 * _MIB))
    return all(mallopt(option, value) == 1 for option, value in settings)
