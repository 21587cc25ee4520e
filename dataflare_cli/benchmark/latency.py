"""Latency: from a commit to the line on a follower's stdout; and what waiting costs.

A real follower writes to a pipe that is read here; a feeder in a process of its own
appends. Both clocks are the machine's monotonic one.

A line may be there before `append` has returned, as the follower is woken just before:
that counts as no time at all.
"""

import os
import select
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dataflare_cli import codec
from dataflare_cli.benchmark import feeder
from dataflare_cli.benchmark.machine import describe_machine, describe_versions
from dataflare_cli.benchmark.report import MS_PER_S, Figure, Report, summarise
from dataflare_cli.benchmark.workplace import TOPIC, Process, Workplace
from dataflare_cli.catalog import Catalog
from dataflare_cli.errors import DataError
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
            follower.read_until(1)
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

    def read_until(self, line_count: int) -> None:
        """Wait for so many lines.

        Raises:
            DataError: they don't come.
        """
        deadline = time.monotonic() + GRACE_S
        while self.line_count < line_count:
            self.process.check()
            if time.monotonic() > deadline:
                raise DataError(f"the follower printed {self.line_count} of {line_count} lines")
            self.read(POLL_MS)

    def forget(self) -> None:
        """Count from here."""
        self.line_count = 0
        self.times_ns.clear()
        self.counts.clear()

    def time_of(self, number: int) -> int:
        """Return when a line (the first is 0) could be read."""
        return self.times_ns[bisect_right(self.counts, number)]


def _measure_lines(
    place: Workplace, plan: Plan, data_dir: Path, follower: Follower, notes: list[str]
) -> list[Figure]:
    """Feed the topic at the plan's rate, and compare what came when."""
    follower.forget()
    before_s, started = follower.process.cpu_s(), time.monotonic()
    with _feeding(place, plan, data_dir, TOPIC, plan.rate) as (feeding, log):
        while feeding.process.poll() is None:
            follower.read(POLL_MS)
        feeding.check()
    commits = feeder.read_log(log)
    follower.read_until(commits[-1].next_number)
    shares = _shares(before_s, follower.process.cpu_s(), time.monotonic() - started)
    notes.append(f"{TOPIC}: {_pace(commits)}")
    commit_ms, after_ms, whole_ms = [], [], []
    number = 0
    for commit in commits:
        commit_ms.append((commit.returned_ns - commit.called_ns) / NS_PER_MS)
        for each in range(number, commit.next_number):
            seen_ns = follower.time_of(each)
            after_ms.append(max(0, seen_ns - commit.returned_ns) / NS_PER_MS)
            whole_ms.append((seen_ns - commit.called_ns) / NS_PER_MS)
        number = commit.next_number
    figures = [
        summarise("commit to line", "ms", after_ms),
        summarise("append called to line", "ms", whole_ms),
        summarise("append", "ms", commit_ms),
    ]
    if shares:
        figures.append(summarise(f"follower's CPU at {plan.rate:g} records/s", "%", shares))
    return figures


def _measure_idle(
    place: Workplace, plan: Plan, data_dir: Path, follower: Follower, notes: list[str]
) -> list[Figure]:
    """Watch a follower that has nothing to do, alone and beside another topic's commits."""
    place.progress("an idle follower")
    figures = []
    shares = _watch_idle(follower, plan.seconds)
    if shares:
        figures.append(summarise("follower's CPU, idle", "%", shares))
    if plan.noise > 0:
        place.progress(f"an idle follower beside {plan.noise:g} commits a second")
        with _feeding(place, plan, data_dir, NOISE, plan.noise) as (feeding, log):
            shares = _watch_idle(follower, plan.seconds)
            feeding.process.wait()
            feeding.check()
        notes.append(f"{NOISE}: {_pace(feeder.read_log(log))}")
        if shares:
            figures.append(
                summarise(f"follower's CPU beside {plan.noise:g} commits/s", "%", shares)
            )
    return figures


def _watch_idle(follower: Follower, seconds: float) -> list[float]:
    """Return a process's share of one core in each window of some time."""
    shares: list[float] = []
    windows = max(1, int(seconds / WINDOW_S))
    for _ in range(windows):
        before_s, started = follower.process.cpu_s(), time.monotonic()
        time.sleep(min(WINDOW_S, seconds))
        shares += _shares(before_s, follower.process.cpu_s(), time.monotonic() - started)
    return shares


def _shares(before_s: float | None, after_s: float | None, seconds: float) -> list[float]:
    """Return the percentage of one core; nothing where the system doesn't tell."""
    if before_s is None or after_s is None:
        return []
    return [100 * (after_s - before_s) / seconds]


@contextmanager
def _feeding(
    place: Workplace, plan: Plan, data_dir: Path, topic: str, rate: float
) -> Iterator[tuple[Process, Path]]:
    """Start a feeder; its log is there once it has ended."""
    log = place.path / f"{topic}.log"
    program: list[str | Path] = [sys.executable, "-m", feeder.__name__, data_dir, topic]
    words = [*program, str(rate), str(plan.seconds), str(plan.record_bytes), log]
    with place.started(words) as process:
        yield process, log


def _pace(commits: Sequence[feeder.Commit]) -> str:
    """Say what a feeder really did."""
    seconds = (commits[-1].returned_ns - commits[0].called_ns) / NS_PER_MS / MS_PER_S
    return (
        f"{commits[-1].next_number / seconds:.0f} records/s "
        f"in {len(commits) / seconds:.0f} commits/s"
    )
