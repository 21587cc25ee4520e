"""Reading topics of a cluster: runs of any number of partitions, to an end or for ever.

The same tracks as `reader` has, of a connector's source. A track advances past what is not
for applications, and past what the cluster does not have any more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from dataflare_cli import codec
from dataflare_cli.connect import Connection, TopicPartition
from dataflare_cli.log.append import Appended
from dataflare_cli.log.bells import pause
from dataflare_cli.log.facade import Stored
from dataflare_cli.model import Topic, TopicSpec
from dataflare_cli.stream.memory import keep_freed_memory
from dataflare_cli.stream.reader import Limits, Track

if TYPE_CHECKING:
    from dataflare_cli.codec.runs import Run

# How often somebody looks whether anybody still reads stdout.
LOOK_S = 0.2


class RemoteOffsets:
    """Where partitions of a cluster begin and end: what positions are counted from."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._bounds: dict[str, list[tuple[int, int]]] = {}

    def topic(self, name: str) -> Topic:
        """Return a topic of the cluster, as if it were one here."""
        self._bounds[name] = self._connection.bounds(name)
        partition_ids = tuple(range(len(self._bounds[name])))
        return Topic(
            name=name, topic_id=0, partition_ids=partition_ids, spec=TopicSpec(), created_ms=0
        )

    def bounds(self, topic: Topic, partition: int) -> tuple[int, int]:
        """Return the first offset, and that of the next record, as they were."""
        return self._bounds[topic.name][partition]

    def offset_for_time(self, topic: Topic, partition: int, timestamp_ms: int) -> int:
        """Return the first offset whose timestamp is at least this, else the end."""
        return self._connection.offset_for_time(TopicPartition(topic.name, partition), timestamp_ms)


class RemoteLog:
    """A topic of a cluster, to be written to as to a log."""

    def __init__(self, connection: Connection, topic: Topic) -> None:
        self._sink = connection.sink(topic.name)

    def append_some(
        self, topic: Topic, frames: Sequence[tuple[int, bytearray]], *, whole: bool
    ) -> Stored:
        """Append frames; returns when the cluster has them."""
        assert not whole, f"{topic.name}: no transaction was asked for"
        written = self._sink.write(frames)
        size = sum(len(frame) for _, frame in frames)
        return Stored([Appended(*each) for each in written], size, None)

    def cancel(self) -> None:
        """Give up what the cluster has not taken."""
        self._sink.cancel()

    def tidy(self) -> None:
        """Leave it to the cluster."""


class RemoteReader:
    """Reads tracks of one connection."""

    def __init__(
        self,
        connection: Connection,
        tracks: Sequence[Track],
        *,
        follow: bool,
        limits: Limits,
        stdout: int,
        on_evicted: Callable[[Track, int], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self.tracks = list(tracks)
        self._source = connection.source()
        self._follow, self._limits, self._stdout = follow, limits, stdout
        self._on_evicted, self._on_trouble = on_evicted, on_trouble
        self._trouble: str | None = None
        # Called when everything there was has been handed on, before waiting for more.
        self.on_idle: Callable[[], None] = lambda: None

    def runs(self) -> Iterator[tuple[Track, "Run"]]:
        """Yield runs as they come; the consumer advances the track before it goes on.

        Raises:
            TimedOut: the time given for everything is over.
            BrokenPipeError: nobody reads stdout any more.
            Unreachable, …: as the connector says.
        """
        keep_freed_memory()
        by_place = {TopicPartition(t.topic.name, t.partition): t for t in self.tracks}
        positions = {place: t.offset for place, t in by_place.items() if not t.is_done}
        if not positions:
            return
        last_news = time.monotonic()
        try:
            self._source.open(positions)
            while not self._is_over():
                fetched = self._source.read(self._wait_s(last_news))
                if fetched is None:
                    self._tell_trouble()
                    self.on_idle()
                    pause(0, stdout=self._stdout)
                    if self._limits.is_idle(last_news):
                        return
                    continue
                last_news = time.monotonic()
                track = by_place[fetched.place]
                if fetched.evicted and fetched.next_offset > track.offset:
                    self._on_evicted(track, fetched.next_offset)
                for flat in fetched.runs:
                    run = codec.load_run(flat)
                    if run.next_offset > track.offset and run.start_offset < track.end:
                        track.offset = max(track.offset, run.start_offset)
                        yield track, run
                        self._limits.check()
                track.offset = max(track.offset, fetched.next_offset)
        finally:
            self._source.close()

    def _is_over(self) -> bool:
        if self._follow:
            return any(track.is_done and track.has_limit for track in self.tracks)
        return all(track.is_done for track in self.tracks)

    def _tell_trouble(self) -> None:
        """Say once what keeps records from coming."""
        trouble = self._source.trouble
        if trouble is not None and trouble != self._trouble:
            self._on_trouble(trouble)
        self._trouble = trouble

    def _wait_s(self, last_news: float) -> float:
        left_s = self._limits.left_s(last_news)
        return LOOK_S if left_s is None else min(LOOK_S, left_s)
