"""The clock that stops guests: wasmtime's epoch, counted up while calls are under way.

Compiled guests look at a counter of their engine at every loop and call; when it has
reached a store's deadline they trap. A thread counts, coarsely, and sleeps when there is
nothing to time.

Invariants
- A call gets at least the time it was given, and at most two ticks more.
- A signal with a handler in Python ends every call at once: the handler runs in the main
  thread, which may be inside a guest.
"""

import math
import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import wasmtime

TICK_S = 0.02
# Far more than anybody waits; a deadline has to fit into 64 bits.
TIME_S_MAX = 10 * 365 * 24 * 3600.0


class Clock:
    """Counts the epoch of one engine."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._state = threading.Condition()
        self._calls = 0
        self._epoch = 0
        self._deadline = 0  # of all calls so far, the latest
        self._thread: threading.Thread | None = None
        self._signals = -1

    @contextmanager
    def limit(self, store: wasmtime.Store, time_s: float) -> Iterator[None]:
        """Let a call of a store take so long."""
        ticks = math.ceil(min(time_s, TIME_S_MAX) / TICK_S) + 1
        with self._state:
            if self._thread is None:
                self._start()
            self._calls += 1
            self._deadline = max(self._deadline, self._epoch + ticks)
            self._state.notify()
        store.set_epoch_deadline(ticks)
        try:
            yield
        finally:
            with self._state:
                self._calls -= 1

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
                self._count(self._deadline - self._epoch if came else 1)

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
