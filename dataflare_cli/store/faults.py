"""Faults: what the operating system says when a mapped file is damaged.

LMDB maps its file. A page that is missing is SIGBUS, a pointer in a damaged page may be
SIGSEGV, and some of LMDB's own checks abort. None of them can be an exception: the
process has to end. What can be had is a message and the exit code for corruption.

The handler is a Python function, run on the thread that faulted. That is not
async-signal-safe, but LMDB holds no lock of the C library's while it walks pages, and
whatever happens the process ends here. wasmtime, which has handlers of its own and is
loaded later, passes on what is not WASM's; where it is wasmtime that aborts, out of memory,
nobody is told that data is damaged.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from dataflare_cli.errors import ExitCode

_FAULTS = (signal.SIGBUS, signal.SIGSEGV, signal.SIGABRT)
_WASMTIME = b"error: wasmtime has ended the process: most likely memory ran out\n"
# Kept alive: the C library holds pointers to them.
_handlers: list[object] = []


def end_as_corrupt(path: Path) -> None:
    """From now on, end a process that a damaged page would kill with a message and code 7."""
    message = (
        f"error: {path}/data.mdb is damaged: a page in it can't be read\n"
        "  restore it from a backup, or move the directory away\n"
    ).encode()

    def end(_number: int) -> None:
        if _is_in_wasmtime():
            os.write(2, _WASMTIME)
            os._exit(ExitCode.UNREACHABLE)
        os.write(2, message)
        os._exit(ExitCode.CORRUPT)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(end)
    _handlers.append(handler)
    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    for number in _FAULTS:
        libc.signal(number, ctypes.cast(handler, ctypes.c_void_p))


def _is_in_wasmtime() -> bool:
    """Tell whether this thread has called wasmtime."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - there is no other way to it
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("wasmtime"):
            return True
        frame = frame.f_back
    return False
