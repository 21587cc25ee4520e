"""LMDB's and the operating system's errors in our words.

Hides which exception class LMDB raises for what. Every foreign error of the store
passes through here exactly once.
"""

import errno
import os
import struct
from pathlib import Path

import lmdb

from dataflare_cli.errors import Corruption, Unreachable

# As the environment is opened with it (environment.py).
READERS_MAX = 4096
_FULL_BYTES = 1 << 20
# A transaction is bad after it has met a damaged page.
_DAMAGED = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.BadTxnError,
    lmdb.CursorFullError,
    lmdb.PageFullError,
)
# "File too large": `ulimit -f`, or a file system that has no larger files.
_FULL = ("No space left", "Disk quota", "File too large")


def translate(path: Path, exc: Exception) -> Exception:
    """Turn an error of LMDB or the operating system into one of ours."""
    text = str(exc)
    if isinstance(exc, lmdb.MapFullError):
        return Unreachable(
            str(path), "the store's address range is full", hint="raise `ulimit -v`, or purge"
        )
    if isinstance(exc, lmdb.DiskError) or any(each in text for each in _FULL):
        return Unreachable(str(path), "the disk is full", hint="free some space; nothing is lost")
    if isinstance(exc, (lmdb.InvalidError, lmdb.VersionMismatchError)):
        return not_a_store(path)
    if isinstance(exc, struct.error):
        found = f"another size ({text})"
        return Corruption(f"{path}/data.mdb", expected="keys and rows of their size", found=found)
    if isinstance(exc, _DAMAGED):
        return Corruption(f"{path}/data.mdb", expected="sound pages", found=text)
    if isinstance(exc, lmdb.ReadersFullError):
        return Unreachable(str(path), f"{READERS_MAX} readers have it open", hint="end some")
    if isinstance(exc, lmdb.ReadonlyError) or "Read-only" in text:
        return Unreachable(str(path), "is read-only", hint="choose another --data-dir")
    if "Permission denied" in text:
        return Unreachable(str(path), "permission denied", hint=_permission_hint(path))
    if "Input/output error" in text:
        if _is_full(path):  # LMDB's word for a write that came out short
            return Unreachable(str(path), "the disk is full", hint="free some space")
        return Unreachable(str(path), "the disk reports an input/output error")
    return Unreachable(str(path), text)


def _is_full(path: Path) -> bool:
    try:
        found = os.statvfs(path)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _FULL_BYTES


def not_a_store(path: Path) -> Unreachable:
    """Say that a file with our name is not ours."""
    return Unreachable(
        str(path),
        "data.mdb is not a dataflare store; nothing was touched",
        hint="choose another --data-dir, or move the file away",
    )


def _permission_hint(path: Path) -> str:
    return f"it needs to write {path}/lock.mdb even to read: chmod u+rwX {path}, or copy it"


def unreachable(path: Path, exc: OSError) -> Exception:
    """Turn an error of the operating system into one of ours."""
    if exc.errno in (errno.EACCES, errno.EPERM):
        return Unreachable(str(path), "permission denied", hint=_permission_hint(path))
    if exc.errno in (errno.ENOTDIR, errno.EEXIST):
        return Unreachable(str(path), "is not a directory", hint="choose another --data-dir")
    if exc.errno == errno.ENOSPC:
        return Unreachable(str(path), "the disk is full", hint="free some space")
    if exc.errno == errno.EROFS:
        return Unreachable(str(path), "is read-only", hint="choose another --data-dir")
    return Unreachable(str(path), exc.strerror or str(exc))
