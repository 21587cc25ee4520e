"""The clock that stops guests: wasmtime's epoch, counted up while calls are under way.

Compiled guests look at a counter of their engine at every loop and call; when it has
reached a store's deadline they trap. A thread counts, coarsely, and sleeps when there is
nothing to time.

Invariants
- A call gets at least the time it was given, and at most two ticks more.
- A call of a `Deadline` that is past ends, at most two ticks later.
- A signal with a handler in Python ends every call at once: the handler runs in the main
  thread, which may be inside a guest.
"""

import math
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import wasmtime

from dataflare_cli.model import GUEST_TIME_S_MAX

TICK_S = 0.02


class Deadline:
    """When the calls of a run are over, however much time each of them would have."""

    def __init__(self, at: float = math.inf, text: str = "given up") -> None:
        """Let calls go on until a moment of `time.monotonic`; `text` says what has passed then."""
        self._at, self.text = at, text

    @property
    def left_s(self) -> float:
        """How long there is to go, in seconds; negative if it is past."""
        return self._at - time.monotonic()

    @property
    def is_past(self) -> bool:
        """Whether it is over."""
        return self.left_s <= 0

    def end(self) -> None:
        """Let it be over now; from any thread."""
        self._at = -math.inf


class Clock:
    """Counts the epoch of one engine."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._state = threading.Condition()
        self._calls: list[Deadline] = []
        self._epoch = 0
        self._deadline = 0  # of all calls so far, the latest
        self._thread: threading.Thread | None = None
        self._signals = -1

    @contextmanager
    def limit(self, store: wasmtime.Store, time_s: float, deadline: Deadline) -> Iterator[None]:
        """Let a call of a store take so long, at most until a deadline."""
        # When a signal comes, all that is left of it is counted up at once: 0.2 s an hour.
        time_s = max(0.0, min(time_s, deadline.left_s, GUEST_TIME_S_MAX))
        ticks = math.ceil(time_s / TICK_S) + 1
        with self._state:
            if self._thread is None:
                self._start()
            self._calls.append(deadline)
            self._deadline = max(self._deadline, self._epoch + ticks)
            self._state.notify()
        store.set_epoch_deadline(ticks)
        try:
            yield
        finally:
            with self._state:
                self._calls.remove(deadline)

    def _start(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._signals = _signal_pipe()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        poller = select.poll()
        if self._signals >= 0:
            poller.register(self._signals, select.POLLIN)
        while True:
            with self._state:
                self._state.wait_for(lambda: self._calls)
            came = poller.poll(TICK_S * 1000)
            if came:
                with suppress(BlockingIOError):
                    os.read(self._signals, 4096)
            with self._state:
                ends_all = came or any(deadline.is_past for deadline in self._calls)
                self._count(self._deadline - self._epoch if ends_all else 1)

    def _count(self, ticks: int) -> None:
        for _ in range(ticks):
            self._engine.increment_epoch()
        self._epoch += ticks


def _signal_pipe() -> int:
    """Return what becomes readable when a signal comes; -1 if somebody else listens already."""
    reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    if before >= 0:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)
        return -1
    return reading
