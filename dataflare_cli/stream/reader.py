"""The reader: records of any number of partitions, to an end or following for ever.

Invariants
- A record is handed on once, and every record between a track's offset and its end is.
- A track's `seen` moves only when its consumer says so: what was not written is not
  passed over.
- While nothing is new, nothing is done but waiting: for the topics' bells, for a
  reader of stdout that goes away, for the timeouts.
"""

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from dataflare_cli.catalog import current_topic
from dataflare_cli.errors import TimedOut, Unreachable
from dataflare_cli.log import RUN_BYTES_MAX, Bells, Log
from dataflare_cli.model import KIB, MIB, OFFSET_MAX, Record, Topic
from dataflare_cli.stream.memory import keep_freed_memory

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run


# What all runs of a merge may hold together, and the least that is worth a call.
MERGED_BYTES = 8 * MIB
MERGED_RUN_BYTES_MIN = 16 * KIB
DISCOVER_INTERVAL_S = 1.0


@dataclass(eq=False)
class Track:
    """One partition being read: the next offset, and where to end (exclusive)."""

    topic: Topic
    partition: int
    offset: int
    end: int = OFFSET_MAX
    seen: int | None = None  # the last offset handed on
    is_new: bool = False  # its consumer has no stored offset here yet
    has_limit: bool = False  # `end` was asked for, and is not just the log's end

    @property
    def partition_id(self) -> int:
        """Return the id that survives a rename."""
        return self.topic.partition_ids[self.partition]

    @property
    def is_done(self) -> bool:
        """Tell whether nothing more is wanted of this partition."""
        return self.offset >= self.end

    def advance(self, next_offset: int) -> None:
        """Note that everything below an offset has been handed on."""
        self.seen = next_offset - 1
        self.offset = next_offset


class Passed(NamedTuple):
    """What comes in the place of records that nothing became of, and what is to be done then."""

    timestamp_ms: int
    offset: int
    act: Callable[[], None]


@dataclass
class Limits:
    """When following ends by itself; None: never."""

    idle_timeout_s: float | None = None
    timeout_s: float | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def ends(self) -> float | None:
        """Return when the time given for everything is over, by `time.monotonic`."""
        return None if self.timeout_s is None else self.started + self.timeout_s

    @property
    def timeout_text(self) -> str:
        """Return what to say then."""
        return f"--timeout of {self.timeout_s:g} s has passed"

    def check(self) -> None:
        """Raise TimedOut once the time given for everything is over."""
        if self.ends is not None and time.monotonic() >= self.ends:
            raise TimedOut(self.timeout_text)

    def left_s(self, last_news: float) -> float | None:
        """Return how long to wait at most; None: for ever."""
        self.check()
        now = time.monotonic()
        ends = [] if self.ends is None else [self.ends]
        if self.idle_timeout_s is not None:
            ends.append(last_news + self.idle_timeout_s)
        return max(0.0, min(ends) - now) if ends else None

    def is_idle(self, last_news: float) -> bool:
        """Tell whether nothing has come for as long as was allowed."""
        return (
            self.idle_timeout_s is not None and time.monotonic() - last_news >= self.idle_timeout_s
        )


class Reader:
    """Reads tracks in turn."""

    def __init__(
        self,
        log: Log,
        tracks: Sequence[Track],
        *,
        follow: bool,
        limits: Limits,
        stdout: int,
        on_evicted: Callable[[Track, int], None],
        grows: bool = True,
    ) -> None:
        self.log, self.tracks = log, list(tracks)
        self.follow, self.limits, self.stdout = follow, limits, stdout
        self._on_evicted = on_evicted
        # Asked once in a while for tracks of topics that did not exist before.
        self.discover: Callable[[AbstractSet[int]], list[Track]] | None = None
        self._discover_due = 0.0
        # Called when everything there was has been handed on, before waiting for more.
        self.on_idle: Callable[[], None] = lambda: None
        # What a run's records in a range become, for `merged`.
        self.expand: Callable[[Track, Run, int, int], Iterator[Record | Passed]] = (
            lambda _track, run, start, stop: run.records(start, stop)
        )
        self._grows = grows
        self._run_bytes = RUN_BYTES_MAX
        self._generation = log.store.generation

    def runs(self) -> Iterator[tuple[Track, "Run"]]:
        """Yield runs, one a track in turn; the consumer advances the track before it goes on.

        Raises:
            TimedOut: the time given for everything is over.
            BrokenPipeError: nobody reads stdout any more.
            NotFound: a topic was deleted meanwhile.
        """
        keep_freed_memory()
        for pass_ in self._passes():
            for track in pass_:
                while (run := self._read(track)) is not None:
                    yield track, run
                    self.limits.check()
                    if len(pass_) > 1:
                        break

    def merged(self) -> Iterator[tuple[Track, Record | Passed]]:
        """Yield records of all tracks in the order of their timestamps, as far as they are there.

        Holds one run of each track: the more there are, the smaller (one batch at least).
        Records of one partition stay in their order. Nothing is acted on ahead of its time.
        """
        self._run_bytes = max(MERGED_BYTES // max(1, len(self.tracks)), MERGED_RUN_BYTES_MIN)
        for pass_ in self._passes():
            heads = [iter(self._records(track)) for track in pass_]
            heap = [
                (record.timestamp_ms, number, record)
                for number, head in enumerate(heads)
                if (record := next(head, None)) is not None
            ]
            heapq.heapify(heap)
            while heap:
                _, number, record = heap[0]
                yield pass_[number], record
                following = next(heads[number], None)
                if following is None:
                    heapq.heappop(heap)
                else:
                    heapq.heapreplace(heap, (following.timestamp_ms, number, following))

    def _records(self, track: Track) -> Iterator[Record | Passed]:
        while (run := self._read(track)) is not None:
            self.limits.check()
            stop = min(track.end, run.next_offset)
            yield from self.expand(track, run, track.offset, stop)
            track.offset = max(track.offset, stop)

    def _read(self, track: Track) -> "Run | None":
        """Return the next run of a track, having passed over what was dropped."""
        if track.is_done:
            return None
        found = self.log.read(
            track.topic, track.partition, track.offset, track.end, bytes_max=self._run_bytes
        )
        if found is None:
            self._refuse_older_store(track)
            return None
        run, first = found
        if first > track.offset:
            self._on_evicted(track, first)
            track.offset = first
            if first >= track.end:
                return None
        return run

    def _refuse_older_store(self, track: Track) -> None:
        """Notice a restore from before what was handed on: its next records would be missed."""
        if self.log.store.generation == self._generation:
            return
        if track.offset > self.log.bounds(track.topic, track.partition)[1]:
            raise Unreachable(
                str(self.log.store.path),
                "was replaced by an older copy, which lacks records that were read already",
                hint="start the command again, with an offset",
            )

    def _passes(self) -> Iterator[list[Track]]:
        """Yield the tracks again and again while any has news; wait in between if following."""
        if not self.follow:
            yield from self._while_moving()
            return
        with closing(self.log.follow([track.topic for track in self.tracks])) as bells:
            last_news = time.monotonic()
            while True:
                moved = False
                for pass_ in self._while_moving():
                    before = [track.offset for track in pass_]
                    yield pass_
                    moved = moved or before != [track.offset for track in pass_]
                if moved:
                    last_news = time.monotonic()
                    self.on_idle()
                if self._is_over(last_news):
                    return
                bells.wait(self.limits.left_s(last_news), stdout=self.stdout)
                self.on_idle()
                self._grow()
                self._discover(bells)

    def _while_moving(self) -> Iterator[list[Track]]:
        while pass_ := [track for track in self.tracks if not track.is_done]:
            before = [track.offset for track in pass_]
            yield pass_
            if before == [track.offset for track in pass_]:
                return

    def _is_over(self, last_news: float) -> bool:
        reached = any(track.is_done and track.has_limit for track in self.tracks)
        return reached or self.limits.is_idle(last_news)

    def _discover(self, bells: Bells) -> None:
        """Take up topics that were made meanwhile."""
        if self.discover is None or time.monotonic() < self._discover_due:
            return
        self._discover_due = time.monotonic() + DISCOVER_INTERVAL_S
        found = self.discover({track.topic.topic_id for track in self.tracks})
        bells.add({track.topic.topic_id for track in found})
        self.tracks += found

    def _grow(self) -> None:
        """Take up partitions that were added meanwhile."""
        if not self._grows:
            return
        with self.log.store.view() as view:
            for topic in {track.topic.topic_id: track.topic for track in self.tracks}.values():
                current = current_topic(view, topic)
                mine = [track for track in self.tracks if track.topic == topic]
                if len(current.partition_ids) <= len(mine):
                    continue
                for track in mine:
                    track.topic = current
                self.tracks += [
                    Track(current, partition, 0)
                    for partition in range(len(mine), len(current.partition_ids))
                ]
