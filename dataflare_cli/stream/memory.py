"""Memory: keep what was freed, instead of giving it back and asking for it again.

A megabyte is what moves here: blocks of input, batches, LMDB's dirty values. glibc gives
each of them back to the kernel when it is freed, and the next one is faulted in page by
page: of all that `produce` cost, that was half (ARCHITECTURE.md). With these thresholds
freed memory up to 16 MiB stays in the process.
"""

import ctypes
from contextlib import suppress

from dataflare_cli.model import MIB

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 16 * MIB
# Larger pieces (one record can have 32 MiB) still go back at once.
MAPPED_BYTES = 4 * MIB


def keep_freed_memory() -> None:
    """Tell glibc; other C libraries don't have the call, and need none of it."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
