"""Latency: from a commit to the line on a follower's stdout; and what waiting costs.

A real follower writes to a pipe that is read here; a feeder in a process of its own
appends. Both clocks are the machine's monotonic one.

A line may be there before `append` has returned, as the follower is woken just before:
that counts as no time at all.
"""

import os
import select
import subprocess
import time
from bisect import bisect_right
from contextlib import contextmanager
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dataflare_cli import codec
from dataflare_cli.benchmark import feeder
from dataflare_cli.benchmark.machine import describe_machine, describe_versions
from dataflare_cli.benchmark.report import MS_PER_S, Figure, Report, summarise
from dataflare_cli.benchmark.workplace import TOPIC, Process, Workplace
from dataflare_cli.catalog import Catalog
from dataflare_cli.errors import TimedOut
from dataflare_cli.log import Log
from dataflare_cli.model import TopicSpec
from dataflare_cli.store import Store

NOISE = "noise"
NS_PER_MS = 1_000_000
WINDOW_S = 1.0
# Of a pipe of 64 KiB nothing is left after one read.
CHUNK_BYTES = 1 << 20
POLL_MS = 20
# After the last commit; a follower without a bell looks every second.
GRACE_S = 10.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How fast records come, for how long, and what else goes on."""

    rate: float
    seconds: float
    noise: float
    record_bytes: int


def measure(place: Workplace, plan: Plan) -> Report:
    """Measure a follower under a plan's load, and idle."""
    notes: list[str] = []
    with place.data_dir() as data_dir:
        with Store.open(data_dir) as store:
            Catalog(store).create_topic(NOISE, TopicSpec())
            first = feeder.make_record(0, plan.record_bytes)
            Log(store).append(Catalog(store).topic(TOPIC), [(0, codec.encode_frame([first]))])
        words = place.program(data_dir, "consume", TOPIC, "-B", "-O", "text")
        with place.started(words, stdout=subprocess.PIPE) as process:
            follower = Follower(process)
            # From now on it follows.
            follower.read_until(1, place)
            place.progress(f"{plan.rate:g} records a second for {plan.seconds:g} s")
            figures = _measure_lines(place, plan, data_dir, follower, notes)
            figures += _measure_idle(place, plan, data_dir, follower, notes)
    return Report(
        benchmark="latency",
        machine=describe_machine(place.path),
        versions=describe_versions(),
        workload=dict(msgspec.to_builtins(plan)),
        figures=figures,
        notes=notes,
    )


class Follower:
    """The reader of a follower's lines: how many there were, and by when."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.line_count = 0
        # After each read: its time, and the lines up to then.
        self.times_ns: list[int] = []
        self.counts: list[int] = []
        self._handle = process.stdout.fileno()
        self._poller = select.poll()
        self._poller.register(self._handle, select.POLLIN)

    def read(self, timeout_ms: float) -> None:
        """Take what is there, or comes within the time."""
        if not self._poller.poll(timeout_ms):
            return
        now_ns = time.monotonic_ns()
        self.line_count += os.read(self._handle, CHUNK_BYTES).count(b"\n")
        self.times_ns.append(now_ns)
        self.counts.append(self.line_count)

    def read_until(self, line_count: int, place: Workplace) -> None:
        """Wait for so many lines.

        Raises:
            TimedOut: they don't come.
        """
        deadline = time.monotonic() + GRACE_S
        while self.line_count < line_count:
            self.process.check()
            if time.monotonic() > deadline:
                raise TimedOut(f"the follower printed {self.line_count} of {line_count} lines")
            self.read(POLL_MS)

    def forget(self) -> None:
        """Count from here."""
        self.line_count = 0
        self.times_ns.clear()
        self.counts.clear()

    def time_of(self, number: int) -> int:
        """Return when a line (the first is 0) could be read."""
        return self.times_ns[bisect_right(self.counts, number)]
