"""WASI preview 1, as much as a SmartModule may see: nothing of the host.

Modules built for wasm32-wasip1 import a few of these functions from their standard
library. There are no arguments, no environment and no files; stdout and stderr both go
to a log, for a module's stdout is no data of ours. Every function that is not in
`_FUNCTIONS` answers ENOSYS.
https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
"""

import os
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

from dataflare_cli.wasm.binary import Signature

MODULE = "wasi_snapshot_preview1"

_SUCCESS, _BADF, _FAULT, _INVAL, _NOSYS = 0, 8, 21, 28, 52
_U32, _U64 = struct.Struct("<I"), struct.Struct("<Q")
_IOVEC = struct.Struct("<II")
_REALTIME = 0
# What a call may ask for at once; the system interface has no use for more.
_IOVECS_MAX = 1024
_RANDOM_BYTES_MAX = 65536
# Of what a run's modules print; a loop that prints must not fill anybody's disk.
LOG_BYTES_MAX = 64 * 1024
_CHARACTER_DEVICE = 2


class ExitError(Exception):
    """The guest has called proc_exit."""


class Memory(Protocol):
    """Bytes of the guest; both raise IndexError for a place that it does not have."""

    def read(self, at: int, size: int) -> bytes:
        """Return a copy of some bytes."""
        ...

    def write(self, at: int, data: bytes) -> None:
        """Replace some bytes."""
        ...


class Wasi:
    """The functions of one guest."""

    def __init__(self, memory: Callable[[], Memory], log: Callable[[str], None]) -> None:
        self._memory, self._log = memory, log
        self._line = b""
        self._left = LOG_BYTES_MAX

    def function(self, name: str, signature: Signature) -> Callable[..., int | None] | None:
        """Return the host's side of an import; None if its type is not that of WASI's function."""
        if name not in _FUNCTIONS:
            return _not_here if _is_of_wasi(signature) else None
        method, parameters = _FUNCTIONS[name]
        if method is Wasi.proc_exit:
            return self.proc_exit if signature == Signature(parameters, ()) else None
        if signature != Signature(parameters, ("i32",)):
            return None

        def call(*arguments: int) -> int | None:
            unsigned = [each & 0xFFFFFFFF for each in arguments]
            try:
                code: int = method(self, *unsigned)
            except IndexError:
                code = _FAULT
            return code

        return call

    def proc_exit(self, code: int) -> None:
        """End the call."""
        raise ExitError(f"the module called proc_exit({code})")

    def fd_write(self, descriptor: int, iovecs: int, count: int, written: int) -> int:
        """Log what is written to stdout or stderr."""
        if descriptor not in (1, 2):
            return _BADF
        if count > _IOVECS_MAX:
            return _INVAL
        memory = self._memory()
        size = 0
        for number in range(count):
            at, length = _IOVEC.unpack(memory.read(iovecs + number * _IOVEC.size, _IOVEC.size))
            self._print(memory.read(at, min(length, self._left)))
            size += length
        memory.write(written, _U32.pack(size & 0xFFFFFFFF))
        return _SUCCESS

    def fd_fdstat_get(self, descriptor: int, at: int) -> int:
        """Describe stdin, stdout and stderr."""
        if descriptor > 2:
            return _BADF
        self._memory().write(at, bytes([_CHARACTER_DEVICE]) + bytes(23))
        return _SUCCESS

    def fd_read(self, descriptor: int, _iovecs: int, _count: int, read: int) -> int:
        """Read stdin, which is at its end."""
        if descriptor != 0:
            return _BADF
        self._memory().write(read, _U32.pack(0))
        return _SUCCESS

    def fd_close(self, _descriptor: int) -> int:
        """Close what may be written to all the same."""
        return _SUCCESS

    def fd_prestat_get(self, _descriptor: int, _at: int) -> int:
        """Look for a directory: there is none."""
        return _BADF

    def environ_sizes_get(self, count: int, size: int) -> int:
        """Say that there is no environment."""
        self._memory().write(count, _U32.pack(0))
        self._memory().write(size, _U32.pack(0))
        return _SUCCESS

    def environ_get(self, _pointers: int, _buffer: int) -> int:
        """Give an environment of nothing."""
        return _SUCCESS

    def clock_time_get(self, clock: int, _precision: int, at: int) -> int:
        """Tell the time."""
        now_ns = time.time_ns() if clock == _REALTIME else time.monotonic_ns()
        self._memory().write(at, _U64.pack(now_ns))
        return _SUCCESS

    def clock_res_get(self, _clock: int, at: int) -> int:
        """Tell how finely the time is told."""
        self._memory().write(at, _U64.pack(1000))
        return _SUCCESS

    def random_get(self, at: int, size: int) -> int:
        """Give random bytes: hash tables are seeded with them."""
        if size > _RANDOM_BYTES_MAX:
            return _INVAL
        self._memory().write(at, os.urandom(size))
        return _SUCCESS

    def sched_yield(self) -> int:
        """Let others run: they do."""
        return _SUCCESS

    def _print(self, data: bytes) -> None:
        """Log whole lines, up to a limit."""
        taken = data[: self._left]
        self._left -= len(taken)
        *lines, self._line = (self._line + taken).split(b"\n")
        for line in lines:
            self._log(line.decode(errors="replace"))
        if taken and not self._left:
            self._log("… (more is not shown)")


_FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "proc_exit": (Wasi.proc_exit, ("i32",)),
    "fd_write": (Wasi.fd_write, ("i32", "i32", "i32", "i32")),
    "fd_read": (Wasi.fd_read, ("i32", "i32", "i32", "i32")),
    "fd_fdstat_get": (Wasi.fd_fdstat_get, ("i32", "i32")),
    "fd_close": (Wasi.fd_close, ("i32",)),
    "fd_prestat_get": (Wasi.fd_prestat_get, ("i32", "i32")),
    "environ_sizes_get": (Wasi.environ_sizes_get, ("i32", "i32")),
    "environ_get": (Wasi.environ_get, ("i32", "i32")),
    "args_sizes_get": (Wasi.environ_sizes_get, ("i32", "i32")),
    "args_get": (Wasi.environ_get, ("i32", "i32")),
    "clock_time_get": (Wasi.clock_time_get, ("i32", "i64", "i32")),
    "clock_res_get": (Wasi.clock_res_get, ("i32", "i32")),
    "random_get": (Wasi.random_get, ("i32", "i32")),
    "sched_yield": (Wasi.sched_yield, ()),
}


def _is_of_wasi(signature: Signature) -> bool:
    """Tell whether a function may be one of WASI's that is not here: numbers in, an errno out."""
    return set(signature.parameters) <= {"i32", "i64"} and signature.results == ("i32",)


def _not_here(*_: int) -> int:
    return _NOSYS
