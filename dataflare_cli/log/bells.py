"""Bells: how a producer wakes the followers of a topic.

A bell is one small file per topic, `bells/<topic id>`. A follower makes it and watches
it by inotify; a producer writes one byte to it after its commit, if it is there. So
a commit wakes only who follows that topic. Where inotify is missing, used up or not
allowed, a slow poll is all there is; it is also the net under a producer that was
killed between its commit and the bell.

A follower without news also watches its stdout for a reader that went away.
"""

import ctypes
import os
import select
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

POLL_S_WITH_BELL = 1.0
POLL_S_WITHOUT_BELL = 0.05
_IN_MODIFY = 0x2
_EVENTS_BYTES = 65_536
# Not a topic's: ids of topics begin with 1. Rung when SmartModules come or go.
CATALOG_BELL = 0
_HANG_UP = select.POLLERR | select.POLLHUP | select.POLLNVAL


def bell_path(store_path: Path, topic_id: int) -> Path:
    """Return where a topic's bell is."""
    return store_path / "bells" / str(topic_id)


def ring(store_path: Path, topic_id: int) -> None:
    """Wake the followers of a topic, if it ever had any."""
    try:
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(bell_path(store_path, topic_id), flags)
    except OSError:
        return  # nobody follows, or they poll
    try:
        os.pwrite(handle, b"\a", 0)
    except OSError:
        pass  # a full disk: the followers' slow poll finds the records
    finally:
        os.close(handle)


class Bells:
    """The follower's side: wait until one of some topics has news."""

    def __init__(self, store_path: Path, topic_ids: Iterable[int]) -> None:
        self._store_path = store_path
        self._watch = -1
        self._poll_s = POLL_S_WITHOUT_BELL
        with suppress(OSError):  # polling is slower, and always works
            self._watch = _inotify()
            self._poll_s = POLL_S_WITH_BELL
        self.add(topic_ids)

    def add(self, topic_ids: Iterable[int]) -> None:
        """Watch further topics."""
        try:
            for topic_id in topic_ids:
                if self._watch >= 0:
                    _add_watch(self._watch, _make_bell(bell_path(self._store_path, topic_id)))
        except OSError:
            # One that can't be watched makes polling necessary.
            self._poll_s = POLL_S_WITHOUT_BELL

    def close(self) -> None:
        """Stop watching; harmless when called again."""
        if self._watch >= 0:
            os.close(self._watch)
            self._watch = -1

    def wait(self, timeout_s: float | None, *, stdout: int | None = None) -> None:
        """Return on news, after the timeout, or when it is time to look anyway.

        Raises:
            BrokenPipeError: nobody reads `stdout` any more.
        """
        poller = select.poll()
        if self._watch >= 0:
            poller.register(self._watch, select.POLLIN)
        if stdout is not None:
            poller.register(stdout, 0)
        pause_s = self._poll_s if timeout_s is None else max(0.0, min(timeout_s, self._poll_s))
        for handle, events in poller.poll(pause_s * 1000):
            if handle == self._watch:
                os.read(self._watch, _EVENTS_BYTES)
            elif events & _HANG_UP:
                raise BrokenPipeError


def pause(timeout_s: float, *, stdout: int) -> None:
    """Wait, where there is no bell to wait for.

    Raises:
        BrokenPipeError: nobody reads `stdout` any more.
    """
    poller = select.poll()
    poller.register(stdout, 0)
    if any(events & _HANG_UP for _, events in poller.poll(timeout_s * 1000)):
        raise BrokenPipeError


def _make_bell(path: Path) -> Path:
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    os.close(os.open(path, flags, 0o600))
    return path


def _inotify() -> int:
    """Return a handle to watch files by; an OSError if that can't be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "inotify_init1"):
        raise OSError("no inotify here")
    handle: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if handle < 0:
        raise OSError(ctypes.get_errno(), "inotify_init1")
    return handle


def _add_watch(handle: int, path: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.inotify_add_watch(handle, os.fsencode(path), _IN_MODIFY) < 0:
        raise OSError(ctypes.get_errno(), "inotify_add_watch")
