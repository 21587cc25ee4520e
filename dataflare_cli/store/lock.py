"""Locks between processes: the writer lock, and holds on named things.

Both are flocks, so the kernel lets go of them when a process dies, and both know
who holds them: the holder writes its process id and what it does into the file.
A wait can be interrupted by any signal and ends at its timeout.
"""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from dataflare_cli.errors import Unreachable

# The first retry comes sooner than a small commit takes, the last ones cost nothing.
WAIT_S_FIRST = 0.00005
WAIT_S_MAX = 0.005
HOLDER_BYTES_MAX = 255


class WriteLock:
    """The right to begin a write transaction: one thread of one process at a time."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = min(timeout_s, threading.TIMEOUT_MAX)
        self._handle: int | None = None
        self._thread = threading.Lock()
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Make every wait, now and later, end with Unreachable (the process is ending)."""
        self._cancelled.set()

    def close(self) -> None:
        """Close the lock file; harmless when called again."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @contextmanager
    def held(self, what: str) -> Iterator[None]:
        """Hold the lock for the block; raises as `acquire`."""
        self.acquire(what)
        try:
            yield
        finally:
            self.release()

    def acquire(self, what: str) -> None:
        """Take the lock, waiting up to the timeout for it.

        Raises:
            Unreachable: another process held it for longer than the timeout.
        """
        deadline = time.monotonic() + self.timeout_s
        if not self._thread.acquire(timeout=self.timeout_s):
            raise self._busy("another thread of this process")
        try:
            self._wait(deadline)
            assert self._handle is not None
            os.pwrite(self._handle, _holder(what), 0)
        except BaseException:
            # Closing lets go of the lock, too.
            self.close()
            self._thread.release()
            raise

    def release(self) -> None:
        """Let go of the lock."""
        if self._handle is not None:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
        self._thread.release()

    def _wait(self, deadline: float) -> None:
        pause_s = WAIT_S_FIRST
        while True:
            if self._handle is None:
                self._handle = open_own(self.path)
            if _try_lock(self._handle):
                if self._is_current(self._handle):
                    return
                # The file was removed or the directory replaced: others use another one.
                self.close()
                continue
            if self._cancelled.is_set():
                raise Unreachable(str(self.path.parent), "ended while waiting for its turn")
            if time.monotonic() > deadline:
                raise self._busy(_read_holder(self._handle))
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, WAIT_S_MAX)

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _busy(self, holder: str) -> Unreachable:
        return Unreachable(
            str(self.path.parent),
            f"busy for {self.timeout_s:g} s: {holder} is writing",
            hint="end or continue that process (a stopped one keeps the lock: kill -CONT), "
            "or wait longer with --lock-timeout",
        )


class HoldLock:
    """A named thing that one process at a time may use, such as a consumer."""

    def __init__(self, path: Path, *, what: str) -> None:
        self.path, self.what = path, what
        self._handle = -1

    def __enter__(self) -> Self:
        self._handle = open_own(self.path)
        if not _try_lock(self._handle):
            holder = _read_holder(self._handle)
            os.close(self._handle)
            raise Unreachable(
                self.what, f"in use by {holder}", hint="end that process, or use another name"
            )
        os.pwrite(self._handle, _holder(self.what), 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)


def open_own(path: Path) -> int:
    """Open or make a file of the data directory; never one that a link leads to."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        return os.open(path, flags, 0o600)
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            raise Unreachable(
                str(path), "is a symbolic link; nothing was touched", hint="remove it"
            ) from exc
        raise


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(what: str) -> bytes:
    text = f"process {os.getpid()} ({what})".encode("utf-8", "replace")[:HOLDER_BYTES_MAX]
    return text.ljust(HOLDER_BYTES_MAX, b" ") + b"\n"


def _read_holder(handle: int) -> str:
    text = os.pread(handle, HOLDER_BYTES_MAX, 0).decode("utf-8", "replace").strip()
    return text or "another process"
